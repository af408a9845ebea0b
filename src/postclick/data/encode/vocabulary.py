"""Vocabularies: categories to ids, fitted on training rows only."""

import hashlib
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from postclick.errors import InputError

_SAFE = re.compile(r"[a-z0-9_][a-z0-9_-]{0,99}")
Int32s = npt.NDArray[np.int32]


def file_name(feature: str) -> str:
    """A file name for any feature name, without clashes on any file system.

    >>> file_name("user_id"), file_name("a/b")
    ('user_id.parquet', 'a_b.c14cddc0.parquet')
    """
    if _SAFE.fullmatch(feature):
        return f"{feature}.parquet"
    plain = re.sub(r"[^a-z0-9_-]", "_", feature.lower())[:60]
    return f"{plain}.{hashlib.sha256(feature.encode()).hexdigest()[:8]}.parquet"


class Vocabulary:
    """The known values of one feature. Id 0 is unseen, missing or rare; the others count from 1.

    Attributes:
        table: value (String), id (Int32), count (Int64), in the order of ids.

    >>> counts = pl.DataFrame({"value": ["a", "b", "c"], "count": [2, 5, 2]})
    >>> vocabulary = Vocabulary.fit(counts, min_count=2)
    >>> vocabulary.encode(pl.Series(["c", "b", None, "z"])).tolist(), vocabulary.size
    ([3, 1, 0, 0], 4)
    """

    def __init__(self, table: pl.DataFrame) -> None:
        self.table = table

    @classmethod
    def fit(cls, counts: pl.DataFrame, min_count: int) -> "Vocabulary":
        """Give ids from 1 by falling count, then by value, to values seen `min_count` times.

        Args:
            counts: `value` (String) and `count`, each value once; null is left out.
        """
        kept = counts.filter(pl.col("value").is_not_null() & (pl.col("count") >= min_count))
        kept = kept.sort(["count", "value"], descending=[True, False])
        ids = pl.Series("id", np.arange(1, kept.height + 1, dtype=np.int32))
        return cls(kept.select("value", ids, pl.col("count").cast(pl.Int64)))

    @property
    def size(self) -> int:
        """Number of ids, id 0 included."""
        return self.table.height + 1

    def encode(self, values: pl.Series) -> Int32s:
        """int32 [n]: the ids of a String column."""
        if len(values) == 0:
            return np.empty(0, dtype=np.int32)
        known = self.table.lazy().select("value", "id")
        asked = pl.LazyFrame({"value": values.cast(pl.String)})
        ids = asked.join(known, on="value", how="left", maintain_order="left").collect()["id"]
        return ids.fill_null(0).to_numpy()

    def save(self, folder: Path, feature: str) -> None:
        """Write `<folder>/<file_name(feature)>`."""
        pq.write_table(self.table.to_arrow(), folder / file_name(feature), compression="zstd")

    @classmethod
    def load(cls, folder: Path, feature: str) -> "Vocabulary":
        """Read what `save` wrote; `InputError` if it is missing or damaged."""
        path = folder / file_name(feature)
        try:
            table = pl.read_parquet(path, glob=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InputError(
                f"vocabulary {path} is missing or damaged ({error}): run 'postclick prepare' again"
            ) from None
        if table.columns != ["value", "id", "count"]:
            raise InputError(f"{path} is not a vocabulary: run 'postclick prepare' again")
        return cls(table)


class VocabularyCounter:
    """Counts the values of one feature over chunks, and codes them on the way.

    A code is a number that a value keeps for the life of the counter. Coding each chunk once and
    mapping codes to ids at the end, by `ids_of_codes`, spares a second look at the text.

    >>> counter = VocabularyCounter()
    >>> codes = counter.add(pl.Series(["b", "a", None, "b"]), np.array([True, True, True, False]))
    >>> counter.counts().sort("value").rows()
    [('a', 1), ('b', 1)]
    """

    def __init__(self) -> None:
        self._dtype = pl.Categorical(pl.Categories.random("postclick"))
        # Polars forgets categories that no column uses: this empty one keeps them.
        self._keep_alive = pl.Series([], dtype=self._dtype)
        self._counts: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._size = 0  # codes given so far

    def add(self, values: pl.Series, counted: npt.NDArray[np.bool_] | None = None) -> pl.Series:
        """UInt32 codes [n], null where the value is; only rows where `counted` is true count."""
        codes = values.cast(self._dtype).to_physical()
        largest = codes.max()
        self._size = max(self._size, largest + 1 if isinstance(largest, int) else 0)
        among = codes if counted is None else codes.filter(pl.Series(counted))
        new = np.bincount(among.drop_nulls().to_numpy(), minlength=len(self._counts))
        new[: len(self._counts)] += self._counts
        self._counts = new
        return codes

    def counts(self) -> pl.DataFrame:
        """`value` and `count` of every value counted at least once."""
        values = self._values()
        counts = np.zeros(len(values), dtype=np.int64)
        counts[: len(self._counts)] = self._counts
        table = pl.DataFrame({"value": values, "count": counts})
        return table.filter(pl.col("count") > 0)

    def merge(self, counts: pl.DataFrame) -> None:
        """Add the `counts()` of another counter; codes given so far stay valid."""
        codes = self.add(counts["value"], np.zeros(counts.height, dtype=np.bool_)).to_numpy()
        grown = np.zeros(self._size, dtype=np.int64)
        grown[: len(self._counts)] = self._counts
        grown[codes] += counts["count"].to_numpy()
        self._counts = grown

    def ids_of_codes(self, vocabulary: Vocabulary) -> Int32s:
        """int32 [codes]: the id of each code, 0 where the vocabulary has it not."""
        ids = np.zeros(self._size, dtype=np.int32)
        codes = vocabulary.table["value"].cast(self._dtype).to_physical().to_numpy()
        seen = codes < self._size
        ids[codes[seen]] = vocabulary.table["id"].to_numpy()[seen]
        return ids

    def _values(self) -> pl.Series:
        codes = pl.Series("value", np.arange(self._size, dtype=np.uint32))
        return codes.cat.to(self._dtype).cast(pl.String)
