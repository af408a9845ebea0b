"""Rows of a log to draft a schema from."""

from dataclasses import dataclass, field

import polars as pl

from postclick.data.read.log_source import LogSource
from postclick.data.read.read_ahead import read_ahead
from postclick.data.row_hash import SAMPLE, row_hash
from postclick.data.sample import HASH, HashSample
from postclick.errors import InputError

READ_ROWS, SAMPLE_ROWS = 2_000_000, 200_000
LIST_HEAD = 50  # elements of a list that are kept
_LENGTH = "__length:"


@dataclass(frozen=True)
class RowSample:
    """Sampled rows.

    Attributes:
        frame: the rows, at most `LIST_HEAD` elements of each list.
        lengths: how many elements the lists of a column had.
        whole: whether the log has no other rows than were read.
    """

    frame: pl.DataFrame
    lengths: dict[str, pl.Series] = field(default_factory=dict)
    whole: bool = True


def draw_rows(source: LogSource) -> RowSample:
    """200,000 rows drawn from the first 2,000,000, the same ones whatever the chunks.

    Raises:
        InputError: the log has no rows.

    >>> from postclick.data.read.log_source import FrameSource
    >>> sample = draw_rows(FrameSource(pl.DataFrame({"h": [[1.5] * 64, [2.5]]})))
    >>> sorted(sample.lengths["h"].to_list()), sample.frame["h"].list.len().max()
    ([1, 64], 50)
    """
    sample = HashSample(SAMPLE_ROWS)
    rows, whole = 0, True
    lists: list[str] = []
    for raw in read_ahead(source.frames(source.columns)):
        if rows >= READ_ROWS:
            whole = False
            break
        raw = raw.with_columns(
            column.arr.to_list() for column in raw if isinstance(column.dtype, pl.Array)
        )
        lists = [column.name for column in raw if isinstance(column.dtype, pl.List)]
        frame = raw.with_columns(pl.col(name).list.head(LIST_HEAD) for name in lists)
        frame = frame.with_columns(raw[name].list.len().alias(_LENGTH + name) for name in lists)
        hashes = row_hash(rows, frame.height, 0, SAMPLE)
        mask = sample.accept(hashes)
        sample.put(frame.filter(pl.Series(mask)), hashes[mask])
        rows += frame.height
    drawn = sample.frame().drop(HASH, strict=False)
    if drawn.height == 0:
        raise InputError(f"{source.name}: no rows: give a log with rows")
    lengths = {name: drawn[_LENGTH + name] for name in lists}
    return RowSample(drawn.drop(_LENGTH + name for name in lists), lengths, whole)
