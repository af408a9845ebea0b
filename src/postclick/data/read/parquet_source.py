"""Raw logs in Parquet files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from postclick.data.read import log_source
from postclick.data.read.file_source import FileSource, frame_of, require_different
from postclick.errors import InputError

CHUNK_BYTES = 256 << 20


class ParquetSource(FileSource):
    """One Parquet file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            schema = pq.read_schema(path)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is not a readable Parquet file: {error}") from None
        self._columns = require_different(schema.names, self.name)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    def _read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        try:
            with pq.ParquetFile(self._path) as file:
                rows = _batch_rows(file.metadata)
                for batch in file.iter_batches(rows, columns=list(columns)):
                    yield frame_of(pa.Table.from_batches([batch])).select(list(columns))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} breaks off or is damaged: {error}") from None


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """`CHUNK_ROWS`, or fewer where rows are long."""
    size = sum(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))
    return int(min(log_source.CHUNK_ROWS, 1 + CHUNK_BYTES * metadata.num_rows // max(size, 1)))
