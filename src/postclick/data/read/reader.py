"""A raw log read once, as canonical chunks whose rows have numbers and a split."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from postclick.data.manifest import GROUP
from postclick.data.read.canonical import ROW, SPLIT, TIME, Canonicalizer, Issues
from postclick.data.read.log_source import LogSource
from postclick.data.read.read_ahead import read_ahead
from postclick.data.read.splitting.draw import Draw
from postclick.data.read.splitting.time_counts import TimeCounts
from postclick.data.read.values.times import to_time
from postclick.data.schema import LogSchema

# Long lists are dealt with in portions, so that copies of them stay small.
PIECE_BYTES = 64 << 20


class LogReader:
    """Reads the log of one split, from which other splits may be drawn.

    Attributes:
        source: the raw log.
        draw: how its rows are divided.
        canonical: how its columns are read.
        issues: what could not be read so far.

    >>> from postclick.data.read.log_source import FrameSource
    >>> schema = LogSchema.parse({"click": "c", "conversion": "v", "categorical": ["shop"]})
    >>> log = FrameSource(pl.DataFrame({"c": [1, 0], "v": [1, 0], "shop": [7.0, None]}))
    >>> [chunk["shop"].to_list() for chunk in LogReader(schema, log, Draw("train")).chunks()]
    [['7', None]]
    """

    def __init__(self, schema: LogSchema, source: LogSource, draw: Draw) -> None:
        self.source = source
        self.draw = draw
        self.canonical = Canonicalizer(schema, source.columns)
        self.issues = Issues()
        self._time = schema.time
        # A weights column may be a feature too, or weigh several.
        lists = [*(f.name for f in (*schema.multi, *schema.vector)), *schema.weight_columns]
        self._lists = tuple(dict.fromkeys(lists))

    @property
    def split(self) -> str:
        """The split that the log is given for."""
        return self.draw.split

    def count_times(self) -> TimeCounts:
        """Read the time column alone, before all else, and count its times."""
        name = self._time
        assert name is not None
        counts = TimeCounts()
        for frame in read_ahead(self.source.frames([name])):
            counts.add(to_time(frame[name], self.canonical.rules))
        return counts

    def chunks(self) -> Iterator[pl.DataFrame]:
        """The rows in order: canonical frames with columns `__row` and `__split`."""
        first = 0
        for frame in read_ahead(self.source.frames(self.canonical.reads)):
            for raw in in_pieces(frame, self._lists):
                chunk = self.canonical.convert(raw, self.issues)
                rows = np.arange(first, first + raw.height)
                time = chunk[TIME] if self.draw.times is not None else None
                group = chunk[GROUP] if self.draw.by_group else None
                places = self.draw.places(rows, chunk["click"], time, group)
                yield chunk.with_columns(pl.Series(ROW, rows), pl.Series(SPLIT, places))
                first += raw.height


def in_pieces(frame: pl.DataFrame, lists: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The frame cut so that the `lists` columns of each piece hold about `PIECE_BYTES`."""
    size = 0
    for column in frame.select(lists):
        if column.dtype == pl.String:
            size += int(column.str.len_bytes().sum())
        elif isinstance(column.dtype, pl.List):
            size += 16 * int(column.list.len().sum())
        elif isinstance(column.dtype, pl.Array):
            size += 16 * column.dtype.size * len(column)
    rows = max(1, frame.height // (1 + size // PIECE_BYTES))
    yield from frame.iter_slices(rows)
