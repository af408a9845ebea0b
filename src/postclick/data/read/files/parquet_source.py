"""Raw logs in Parquet files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from postclick.data.read import log_source
from postclick.data.read.files.file_source import FileSource, frame_of, require_different
from postclick.data.read.files.fixed_size_lists import (
    has_fixed_size_lists,
    local_copy,
    read_in_slices,
)
from postclick.data.read.files.record_leaves import Leaves, leaves_of
from postclick.data.read.places.listing import Place
from postclick.data.read.places.remote_path import RemotePath, random_access
from postclick.errors import InputError

CHUNK_BYTES = 256 << 20


class ParquetSource(FileSource):
    """One Parquet file."""

    def __init__(self, path: Place) -> None:
        super().__init__(path)
        try:
            with random_access(path) as file:
                schema = pq.read_schema(file)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is not a readable Parquet file: {error}") from None
        self._columns = require_different(schema.names, self.name)
        self._records = leaves_of(schema)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    @property
    def records(self) -> Leaves:
        return self._records

    def _read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        try:
            # A store is asked for the bytes of many columns at a time.
            ahead = isinstance(self._path, RemotePath)
            with random_access(self._path) as raw, pq.ParquetFile(raw, pre_buffer=ahead) as file:
                rows = _batch_rows(file.metadata)
                if has_fixed_size_lists(file.schema_arrow, columns):
                    if isinstance(self._path, Path):
                        total = file.metadata.num_rows
                        yield from read_in_slices(self._path, columns, rows, total)
                    else:
                        yield from self._fixed_size_lists(file, list(columns), rows)
                    return
                for batch in _batches(file, rows, list(columns)):
                    yield frame_of(pa.Table.from_batches([batch])).select(list(columns))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} breaks off or is damaged: {error}") from None

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
    return int(min(log_source.CHUNK_ROWS, 1 + CHUNK_BYTES * metadata.num_rows // max(size, 1)))
