"""One split of AliExpress in its raw form: products joined with their result pages."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from postclick.data.read.opening import LogSource
from postclick.datasets.aliexpress.columns import (
    CATEGORICAL,
    CLICK,
    COLUMNS,
    CONVERSION,
    FEATURES,
    LABEL,
    SEARCH_ID,
    WIDTH,
    Table,
)
from postclick.datasets.aliexpress.lines import NULL_TEXT, malformed
from postclick.errors import InputError

BLOCK_BYTES = 16 << 20
_ID = "1"


class RawAliExpress(LogSource):
    """The products of an item file with the columns of their result page, inner join.

    Rows come in the order of the item file, under the 82 names of the preprocessed layout:
    `search_id`, `click` and `conversion` Int64, categoricals Int32, numericals Float32.

    The item file streams. The user file, one row per result page, is held in memory from the
    first pass on: 136 bytes per page, twice that while it is read.
    """

    def __init__(self, user: Path, item: Path) -> None:
        self.name = str(item)
        self._paths: dict[Table, Path] = {"user": user, "item": item}
        self._pages: _Pages | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return COLUMNS

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield the joined rows as frames with just `columns`.

        Raises:
            InputError: a file is malformed, a label is not 0, 1 or 2, a search id stands twice
                in the user file, or no product finds its page.
        """
        self.require(columns)
        if self._pages is None:
            self._pages = _Pages(self._paths["user"])
        features = [c for c in columns if c in FEATURES]
        item = [c for c in features if FEATURES[c][0] == "item"]
        user = [c for c in features if FEATURES[c][0] == "user"]
        read = joined = 0
        for batch in _read(self._paths["item"], "item", [_ID, *_numbers(item), str(LABEL)]):
            search = _integers(batch, _ID, self._paths["item"], "item")
            page = self._pages.locate(search)
            keep = page >= 0
            read, joined = read + batch.num_rows, joined + int(keep.sum())
            label = self._label(batch)
            frame = pl.DataFrame(
                {
                    SEARCH_ID: search,
                    CLICK: (label >= 1).astype(np.int64),
                    CONVERSION: (label == 2).astype(np.int64),
                }
            ).hstack([_feature(batch, c, self._paths["item"]) for c in item])
            frame = frame.filter(pl.Series(keep)).hstack(
                self._pages.frame.select(user)[page[keep]].get_columns() if user else []
            )
            if frame.height:
                yield frame.select(list(columns))
        if not joined:
            raise InputError(
                f"{self.name}: none of its {read} rows has a search id that stands in "
                f"{self._paths['user']}: the two files do not belong together"
            )
        if joined < read:
            warnings.warn(
                f"{self.name}: {read - joined} of {read} rows are left out, their search id is "
                f"not in {self._paths['user']}",
                stacklevel=2,
            )

    def _label(self, batch: pa.RecordBatch) -> NDArray[np.int64]:
        label = _integers(batch, str(LABEL), self._paths["item"], "item")
        if ((label < 0) | (label > 2)).any():
            raise malformed(self._paths["item"], "item")
        return label


class _Pages:
    """The user file in memory, found by search id."""

    def __init__(self, path: Path) -> None:
        names = [c for c in FEATURES if FEATURES[c][0] == "user"]
        frames, searches = [], []
        for batch in _read(path, "user", [_ID, *_numbers(names)]):
            searches.append(_integers(batch, _ID, path, "user"))
            frames.append(pl.DataFrame([_feature(batch, c, path) for c in names]))
        search = np.concatenate(searches)
        order = np.argsort(search, kind="stable")
        self._search = search[order]
        twice = np.flatnonzero(self._search[1:] == self._search[:-1])
        if twice.size:
            raise InputError(
                f"{path}: search id {self._search[twice[0]]} stands in more than one row: "
                "keep one row per result page"
            )
        self.frame = pl.concat(frames)[order]

    def locate(self, search: NDArray[np.int64]) -> NDArray[np.int64]:
        """(rows,) row of `frame` for each search id, -1 where there is none."""
        place = np.searchsorted(self._search, search)
        place[place == self._search.size] = 0
        return np.where(self._search[place] == search, place, -1)


def _numbers(columns: Sequence[str]) -> list[str]:
    """Raw columns are named by their number, from '1'."""
    return [str(FEATURES[c][1]) for c in columns]


def _read(path: Path, table: Table, names: list[str]) -> Iterator[pa.RecordBatch]:
    whole = {_ID, str(LABEL), *_numbers([c for c in CATEGORICAL if CATEGORICAL[c][0] == table])}
    # Whole numbers may be written '3.0': read as double, they stay exact below 2^53.
    types = {n: pa.float64() if n in whole else pa.float32() for n in names}
    types[_ID] = pa.int64()
    try:
        with pa_csv.open_csv(
            pa.input_stream(str(path), compression="detect"),
            read_options=pa_csv.ReadOptions(
                column_names=[str(i) for i in range(1, WIDTH[table] + 1)],
                block_size=BLOCK_BYTES,
            ),
            parse_options=pa_csv.ParseOptions(quote_char=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, include_columns=names, null_values=NULL_TEXT
            ),
        ) as reader:
            yield from reader
    except (OSError, pa.ArrowException) as error:
        if "Empty CSV" in str(error):
            raise InputError(f"{path} is empty: download or unpack it again") from None
        raise malformed(path, table, error) from None


def _integers(batch: pa.RecordBatch, column: str, path: Path, table: Table) -> NDArray[np.int64]:
    """A column that has to be whole and full."""
    if batch[column].null_count:
        raise malformed(path, table)
    whole: NDArray[np.int64] = _whole(batch[column], path, table, pa.int64()).to_numpy()
    return whole


def _whole(column: pa.Array, path: Path, table: Table, kind: pa.DataType) -> pa.Array:
    try:
        return pc.cast(column, kind)
    except pa.ArrowInvalid as error:
        raise malformed(path, table, error) from None


def _feature(batch: pa.RecordBatch, name: str, path: Path) -> pl.Series:
    number = str(FEATURES[name][1])
    column = batch[number]
    if name in CATEGORICAL:
        column = _whole(column, path, FEATURES[name][0], pa.int32())
    return pl.Series(name, column)
