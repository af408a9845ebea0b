"""Hive partitions: columns that stand in the names of folders, `dt=2026-01-01/hour=03/`."""

from collections.abc import Iterator, Sequence
from urllib.parse import unquote

import polars as pl

from postclick.data.read.files.record_leaves import Leaves
from postclick.data.read.log_source import LogSource
from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.wrapped_log import WrappedLog
from postclick.errors import InputError

MISSING_PARTITION = "__HIVE_DEFAULT_PARTITION__"
Partition = dict[str, str | None]


def partition_of(folders: Sequence[str], where: object) -> Partition:
    """The columns that folder names give, outermost first; None is a missing value.

    Raises:
        InputError: two folders give one column.

    >>> partition_of(["logs", "dt=2026-01-01", "shop=a%2Fb", "hour=__HIVE_DEFAULT_PARTITION__"], "")
    {'dt': '2026-01-01', 'shop': 'a/b', 'hour': None}
    """
    found: Partition = {}
    for folder in folders:
        key, equals, text = folder.partition("=")
        name = unquote(key)
        if not equals or not name:
            continue
        if name in found:
            raise InputError(f"{where}: column {name!r} stands in the names of two folders")
        found[name] = None if text == MISSING_PARTITION else unquote(text)
    return found


class PartitionedFile(WrappedLog):
    """A file with the columns of its folders' names beside its own, as text on every row.

    A column that the file has too must say the same in every row.
    """

    def __init__(self, log: LogSource, partition: Partition) -> None:
        super().__init__(log)
        self.partition = partition

    @property
    def columns(self) -> tuple[str, ...]:
        own = self._log.columns
        return (*own, *(name for name in self.partition if name not in own))

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        self.require(columns)
        own = [name for name in columns if name in self._log.columns]
        # Rows are counted by a column of the file, also where none of them is asked for.
        for frame in self._log.frames(own or self._log.columns[:1]):
            rows = frame.height
            yield pl.DataFrame([self._column(frame, name, rows) for name in columns])

    def _column(self, frame: pl.DataFrame, name: str, rows: int) -> pl.Series:
        if name not in self.partition:
            return frame[name]
        value = self.partition[name]
        told = pl.Series(name, [value], dtype=pl.String).new_from_index(0, rows)
        if name in self._log.columns:
            self._require_equal(frame[name], told)
        return told

    def _require_equal(self, column: pl.Series, told: pl.Series) -> None:
        found, expected = to_text(column), to_text(told)
        numbers = found.cast(pl.Float64, strict=False), expected.cast(pl.Float64, strict=False)
        same = found.eq_missing(expected) | (numbers[0] == numbers[1]).fill_null(False)
        if not bool(same.all()):
            odd = column.filter(~same)[0]
            folder = "a missing value" if told[0] is None else repr(told[0])
            raise InputError(
                f"{self.name}: column {column.name!r} holds {odd!r} where the folder's name says "
                f"{folder}: mend the file, or take the column out of it"
            )

    @property
    def records(self) -> Leaves:
        return self._log.records

    def state(self) -> tuple[str, ...] | None:
        state = self._log.state()
        if state is None:
            return None
        return (*state, *(f"{name}={value}" for name, value in self.partition.items()))


def require_same_partitions(logs: Sequence[LogSource]) -> None:
    """Refuse files of one log that lie in folders of different columns.

    Raises:
        InputError: naming two such files.
    """

    def keys(log: LogSource) -> tuple[str, ...]:
        return tuple(log.partition) if isinstance(log, PartitionedFile) else ()

    first = logs[0]
    for log in logs[1:]:
        if set(keys(log)) != set(keys(first)):
            one, other = (
                f"in folders of {', '.join(map(repr, keys(file)))}" if keys(file) else "in none"
                for file in (first, log)
            )
            raise InputError(
                f"{first.name} is {one} and {log.name} {other}: files of one log need the same "
                "partition columns; name the folders that have them"
            )
