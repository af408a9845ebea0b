"""Parquet files with lists of a fixed size, which pyarrow reads only where none is missing."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa

from postclick.data.read.tables.arrow_frame import as_text


def has_fixed_size_lists(schema: pa.Schema, columns: Sequence[str]) -> bool:
    """Whether one of the columns is of such a type."""
    kinds = (schema.field(name).type for name in columns)
    return any(pa.types.is_fixed_size_list(kind) for kind in kinds)


def read_in_slices(
    file: Path | IO[bytes], columns: Sequence[str], rows: int, total: int
) -> Iterator[pl.DataFrame]:
    """The columns of a Parquet file of `total` rows, `rows` at a time, as polars reads it.

    Raises:
        OSError: the file breaks off or is damaged.
    """
    scan = pl.scan_parquet(file, glob=False).select(columns)
    try:
        for first in range(0, total, rows):
            yield as_text(scan.slice(first, rows).collect())
    except pl.exceptions.PolarsError as error:
        raise OSError(str(error)) from None
