"""Parquet files with lists of a fixed size, which pyarrow reads only where none is missing."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa

from postclick.data.read.tables.arrow_frame import as_text

COPIED_AT_A_TIME = 16 << 20  # bytes


def has_fixed_size_lists(schema: pa.Schema, columns: Sequence[str]) -> bool:
    """Whether one of the columns is of such a type."""
    kinds = (schema.field(name).type for name in columns)
    return any(pa.types.is_fixed_size_list(kind) for kind in kinds)


def read_in_slices(
    file: Path, columns: Sequence[str], rows: int, total: int, first: int = 0
) -> Iterator[pl.DataFrame]:
    """The columns of a Parquet file of `total` rows, `rows` at a time, as polars reads it.

    Args:
        first: the row to begin with.

    Raises:
        OSError: the file breaks off or is damaged.
    """
    scan = pl.scan_parquet(file, glob=False).select(columns)
    try:
        for start in range(first, total, rows):
            yield as_text(scan.slice(start, rows).collect())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise OSError(str(error)) from None


@contextmanager
def local_copy(file: pa.NativeFile) -> Iterator[Path]:
    """A copy of an open file on a disk, gone afterwards; polars reads others whole into memory."""
    with tempfile.TemporaryDirectory(prefix="postclick-") as folder:
        path = Path(folder) / "copy.parquet"
        with path.open("wb") as copy:
            shutil.copyfileobj(file, copy, COPIED_AT_A_TIME)
        yield path
