"""Raw logs in Parquet files."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from postclick.data.read import chunks
from postclick.data.read.files.fixed_size_lists import (
    has_fixed_size_lists,
    local_copy,
    read_in_slices,
)
from postclick.data.read.files.schema_file import SchemaFile
from postclick.data.read.places.remote_path import RemotePath, random_access
from postclick.data.read.tables.arrow_frame import frame_of

CHUNK_BYTES = 256 << 20


class ParquetSource(SchemaFile):
    """One Parquet file."""

    format = "Parquet file"

    def _schema(self, file: pa.NativeFile) -> pa.Schema:
        return pq.read_schema(file)

    def _frames(self, file: pa.NativeFile, columns: list[str]) -> Iterator[pl.DataFrame]:
        # A store is asked for the bytes of many columns at a time.
        ahead = isinstance(self._path, RemotePath)
        with pq.ParquetFile(file, pre_buffer=ahead) as parquet:
            rows = _batch_rows(parquet.metadata)
            if not has_fixed_size_lists(parquet.schema_arrow, columns):
                for batch in _batches(parquet, rows, columns):
                    yield frame_of(pa.Table.from_batches([batch])).select(columns)
            elif isinstance(self._path, Path):
                yield from read_in_slices(self._path, columns, rows, parquet.metadata.num_rows)
            else:
                yield from self._fixed_size_lists(parquet, columns, rows)

    def _fixed_size_lists(
        self, file: pq.ParquetFile, columns: list[str], rows: int
    ) -> Iterator[pl.DataFrame]:
        """The columns of a file in a store, which is copied to a disk only if it must be."""
        done = 0
        try:
            for batch in _batches(file, rows, columns):
                yield frame_of(pa.Table.from_batches([batch])).select(columns)
                done += batch.num_rows
        except pa.ArrowInvalid:  # a list is missing, or the file is damaged: polars tells
            with random_access(self._path) as raw, local_copy(raw) as copy:
                total = file.metadata.num_rows
                yield from read_in_slices(copy, columns, rows, total, first=done)


def _batches(file: pq.ParquetFile, rows: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows; from each row group alone where lists have dictionaries, one in each group."""
    kinds = [file.schema_arrow.field(name).type for name in columns]
    if any(pa.types.is_nested(kind) and "dictionary<" in str(kind) for kind in kinds):
        for group in range(file.num_row_groups):
            yield from file.iter_batches(rows, row_groups=[group], columns=columns)
    else:
        yield from file.iter_batches(rows, columns=columns)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """`CHUNK_ROWS`, or fewer where rows are long."""
    size = sum(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))
    return int(min(chunks.CHUNK_ROWS, 1 + CHUNK_BYTES * metadata.num_rows // max(size, 1)))
