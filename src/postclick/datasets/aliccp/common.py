"""The user side of Ali-CCP, looked up by common_feature_index."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from postclick.datasets.aliccp.fields import HISTORIES, USER_IDS, Column
from postclick.datasets.aliccp.spill import Spill
from postclick.datasets.aliccp.tokens import MISSING, Lines, Wanted, read_lines

ABSENT = -1


class CommonFeatures:
    """All common rows: single ids in memory, histories on disk.

    In memory are 52 bytes per common row, 84 with histories: about 40 and 60 MB for the
    published training file of 730,600 rows. Of rows with the same index the last one counts.

    Raises `InputError` for a malformed file, or if the temporary folder cannot be written.
    """

    def __init__(
        self,
        path: Path,
        histories: bool,
        temp: Path | None,
        max_length: int | None,
        workers: int,
    ) -> None:
        self.has_histories = histories
        lists = HISTORIES if histories else ()
        self._spill = Spill(lists, temp, max_length) if histories else None
        wanted = Wanted("common", ids=(*USER_IDS, *lists), values=lists)
        keys: list[NDArray[np.uint64]] = []
        singles: list[NDArray[np.int32]] = []
        for lines in read_lines(path, wanted, workers):
            keys.append(lines.key)
            singles.append(_singles(lines))
            if self._spill is not None:
                self._spill.add(lines)
        if self._spill is not None:
            self._spill.finish()
        key = np.concatenate(keys) if keys else np.empty(0, np.uint64)
        # Stable, so that among equal keys the last of the file stands last.
        self._order = np.argsort(key, kind="stable")
        self._key = key[self._order]
        self._single = (
            np.concatenate(singles, axis=1) if singles else np.empty((len(USER_IDS), 0), np.int32)
        )

    def __len__(self) -> int:
        return self._key.size

    def locate(self, key: NDArray[np.uint64]) -> NDArray[np.int64]:
        """(rows,) the common row of each key, `ABSENT` where there is none."""
        if not len(self) or not key.size:
            return np.full(key.size, ABSENT, np.int64)
        # Impressions come grouped by key: search once per group.
        heads = np.concatenate(([0], np.flatnonzero(key[1:] != key[:-1]) + 1))
        group = key[heads]
        place = np.searchsorted(self._key, group, side="right") - 1
        found = (place >= 0) & (self._key[place] == group)
        row = np.where(found, self._order[place], ABSENT)
        return np.repeat(row, np.diff(np.append(heads, key.size)))

    def ids(self, columns: Sequence[Column], row: NDArray[np.int64]) -> list[pl.Series]:
        """The single ids of impressions whose common rows are `row`, null where `ABSENT`."""
        return [
            id_series(
                c.name, np.where(row == ABSENT, MISSING, self._single[USER_IDS.index(c.field)][row])
            )
            for c in columns
        ]

    def lists(self, columns: Sequence[Column], row: NDArray[np.int64]) -> pl.DataFrame:
        """The histories and weights of impressions whose common rows are `row`."""
        assert self._spill is not None, "histories were not read"
        distinct, place = _distinct(row)
        return pl.DataFrame([self._spill.read(c, distinct) for c in columns])[place]


def _distinct(row: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The common rows in use, ascending, and each impression's place among them.

    An impression without a common row gets the place after the last, where `Spill.read` has a
    null.
    """
    distinct, inverse = np.unique(row[row != ABSENT], return_inverse=True)
    place = np.full(row.size, distinct.size, np.int64)
    place[row != ABSENT] = inverse
    return distinct, place


def _singles(lines: Lines) -> NDArray[np.int32]:
    return np.stack([lines.last_id(field) for field in USER_IDS])


def id_series(name: str, ids: NDArray[np.int32]) -> pl.Series:
    """An id column, null where the id is `MISSING`.

    >>> id_series("205", np.array([7, MISSING], np.int32)).to_list()
    [7, None]
    """
    return pl.Series(name, pa.array(ids, pa.int32(), mask=ids == MISSING))
