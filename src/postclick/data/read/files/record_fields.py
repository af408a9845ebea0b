"""Records as columns: the field `os` of a struct column `device` is the column `device.os`."""

from collections.abc import Iterator, Sequence

import polars as pl

from postclick.data.read.log_source import LogSource
from postclick.data.read.wrapped_log import WrappedLog


def with_record_fields(log: LogSource) -> LogSource:
    """`log` itself, or with the values of its records as columns where it has records."""
    return RecordFields(log) if log.records else log


class RecordFields(WrappedLog):
    """A log whose struct columns are replaced by a column for each value in them.

    A column that has such a dotted name literally is that column.

    >>> from postclick.data.read.log_source import FrameSource
    >>> log = FrameSource(pl.DataFrame({"click": [1], "device": [{"os": "a", "at": {"x": 5}}]}))
    >>> fields = with_record_fields(log)
    >>> fields.columns, next(fields.frames(["device.at.x", "click"])).row(0)
    (('click', 'device.os', 'device.at.x'), (5, 1))
    """

    def __init__(self, log: LogSource) -> None:
        super().__init__(log)
        self._places: dict[str, tuple[str, tuple[str, ...]]] = {}
        for column in log.columns:
            for path in log.records.get(column, [()]):
                name = ".".join((column, *path))
                if not path or name not in log.columns:
                    self._places.setdefault(name, (column, path))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._places)

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        self.require(columns)
        places = {name: self._places[name] for name in columns}
        roots = list(dict.fromkeys(root for root, _ in places.values()))
        for frame in self._log.frames(roots):
            yield pl.DataFrame([_value(frame, name, *places[name]) for name in columns])


def _value(frame: pl.DataFrame, name: str, root: str, path: tuple[str, ...]) -> pl.Series:
    column = frame[root]
    for field in path:
        inner = column.struct.field(field)
        # What lies beneath a missing record is missing too, whatever its bytes say.
        column = inner.set(column.is_null(), None) if column.null_count() else inner
    return column.alias(name)
