"""Chunks of one length, however the rows come."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import polars as pl
import pyarrow as pa

CHUNK_ROWS = 262_144
Rows = TypeVar("Rows", pa.Table, pl.DataFrame)


def rechunked(
    parts: Iterator[Rows], rows: int, concat: Callable[[list[Rows]], Rows]
) -> Iterator[Rows]:
    """The same rows in parts of `rows` rows but the last, for sums go by chunks.

    >>> parts = (pl.DataFrame({"x": [k] * 3}) for k in range(3))
    >>> [part["x"].to_list() for part in rechunked(parts, 4, pl.concat)]
    [[0, 0, 0, 1], [1, 1, 2, 2], [2]]
    """
    held: list[Rows] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        if count >= rows:
            whole = concat(held)
            full = count - count % rows
            yield from (whole.slice(k, rows) for k in range(0, full, rows))
            held, count = [whole.slice(full)], count - full
    if count:
        yield concat(held)
