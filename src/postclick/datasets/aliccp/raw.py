"""One split of Ali-CCP in its raw form, joined while it streams."""

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from postclick.data.read.opening import LogSource
from postclick.datasets.aliccp.common import ABSENT, CommonFeatures, id_series
from postclick.datasets.aliccp.fields import LABELS, SAMPLE_ID, Column
from postclick.datasets.aliccp.spill import list_series
from postclick.datasets.aliccp.tokens import Lines, Wanted, read_lines
from postclick.errors import InputError

# A list column costs about 500 numbers per row: fewer rows per frame.
LIST_ROWS = 8192
MOST_ABSENT = 0.001
# An early verdict on the share of absent users needs this many rows.
EARLY_ROWS = 1_000_000
# Row of `CommonFeatures` of each impression; not a column of the log.
_FOUND = "common row"
MOST_WORKERS = 8


@dataclass(frozen=True)
class Counts:
    """What a whole pass over the log met; `absent` is None where no user column was asked for."""

    rows: int
    dropped: int
    absent: int | None


class RawAliCcp(LogSource):
    """The impressions of a skeleton file with the columns of its common file.

    Rows come in the order of the skeleton file. Ids are Int32 and null where the field is
    missing, values Float32 and 0 there (they are ln(1 + n) of a count), histories lists of
    Int32 and Float32, null where empty. `sample_id`, `click` and `purchase` are Int64.

    Neither file is held in memory: the skeleton is parsed block by block; of the common file,
    `CommonFeatures` keeps the single ids and lays the histories down in a temporary folder
    under `temp`, for as long as this object lives.

    Args:
        skeleton, common: the two files, plain or compressed.
        columns: what to make of the fields.
        drop_unclicked_purchases: leave out rows with a purchase but no click.
        temp: where to put temporary files; the system's folder if not given.
        history_length: keep that many leading entries of each history.
    """

    def __init__(
        self,
        skeleton: Path,
        common: Path,
        columns: Sequence[Column],
        drop_unclicked_purchases: bool = True,
        temp: Path | None = None,
        history_length: int | None = None,
    ) -> None:
        self.name = str(skeleton)
        self._skeleton, self._common_path = skeleton, common
        self._spec = {column.name: column for column in columns}
        self._drop = drop_unclicked_purchases
        self._temp, self._history_length = temp, history_length
        self._workers = min(os.cpu_count() or 1, MOST_WORKERS)
        self._common: CommonFeatures | None = None
        self.counts: Counts | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (SAMPLE_ID, *LABELS, *self._spec)

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield the rows as frames with just `columns`; after the last, `counts` is set.

        Raises:
            InputError: a line is malformed, or more than 0.1 % of the rows have no common row.
        """
        self.require(columns)
        spec = [self._spec[c] for c in columns if c in self._spec]
        user = [c for c in spec if c.side == "common"]
        own = [c for c in spec if c.side == "skeleton"]
        wanted = Wanted(
            "skeleton",
            ids=tuple(c.field for c in own if c.role in ("id", "ids")),
            values=tuple(c.field for c in own if c.role in ("value", "weights")),
            heads=tuple(c for c in columns if c not in self._spec),
        )
        common = self._user_side(user) if user else None
        user_ids = [c for c in user if c.role == "id"]
        histories = [c for c in user if c.role != "id"]
        rows = dropped = absent = 0
        for lines in read_lines(self._skeleton, wanted, self._workers):
            found = common.locate(lines.key) if common is not None else np.zeros(lines.rows, int)
            rows += lines.rows
            absent += int((found == ABSENT).sum())
            self._judge(absent, max(rows, EARLY_ROWS))
            series = [pl.Series(_FOUND, found), *_own_columns(lines, columns, own)]
            if common is not None:
                series += common.ids(user_ids, found)
            frame = self._kept(pl.DataFrame(series), lines)
            dropped += lines.rows - frame.height
            if common is not None and histories:
                for part in frame.iter_slices(LIST_ROWS):
                    lists = common.lists(histories, part[_FOUND].to_numpy())
                    yield part.hstack(lists.get_columns()).select(list(columns))
            elif frame.height:
                yield frame.select(list(columns))
        if not rows:
            raise InputError(f"{self._skeleton} is empty: download or unpack it again")
        if common is not None:
            self._judge(absent, rows)
            self._warn(absent, rows)
        self.counts = Counts(rows, dropped, absent if common is not None else None)

    def _user_side(self, columns: Sequence[Column]) -> CommonFeatures:
        histories = any(c.role != "id" for c in columns)
        if self._common is None or (histories and not self._common.has_histories):
            self._common = CommonFeatures(
                self._common_path, histories, self._temp, self._history_length, self._workers
            )
            if not len(self._common):
                raise InputError(f"{self._common_path} is empty: download or unpack it again")
        return self._common

    def _kept(self, frame: pl.DataFrame, lines: Lines) -> pl.DataFrame:
        if not self._drop:
            return frame
        click, purchase = (lines.heads[label] for label in LABELS)
        keep = (click == 1) | (purchase == 0)
        return frame if keep.all() else frame.filter(pl.Series(keep))

    def _judge(self, absent: int, rows: int) -> None:
        if absent > MOST_ABSENT * rows:
            raise InputError(
                f"{self._skeleton}: {absent} of the rows read so far have a common_feature_index "
                f"that {self._common_path} lacks: the two files do not belong together, or the "
                "second is not whole"
            )

    def _warn(self, absent: int, rows: int) -> None:
        if absent:
            warnings.warn(
                f"{self._skeleton}: {absent} of {rows} rows have a common_feature_index that "
                f"{self._common_path} lacks; their user fields are null",
                stacklevel=3,
            )


def _own_columns(lines: Lines, columns: Sequence[str], own: Sequence[Column]) -> list[pl.Series]:
    """The columns that come from the skeleton itself."""
    heads = [pl.Series(c, lines.heads[c]) for c in columns if c in lines.heads]
    return [*heads, *(_column(lines, column) for column in own)]


def _column(lines: Lines, column: Column) -> pl.Series:
    if column.role == "id":
        return id_series(column.name, lines.last_id(column.field))
    if column.role == "value":
        return pl.Series(column.name, lines.last_value(column.field))
    at = lines.tokens(column.field)
    values = lines.id[at] if column.role == "ids" else lines.value[at]
    return list_series(column.name, values, lines.counts(column.field))
