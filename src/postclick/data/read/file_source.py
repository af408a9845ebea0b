"""Raw logs in files: CSV and Parquet, compressed or not."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from postclick.data.read import log_source
from postclick.data.read.fixed_size_lists import has_fixed_size_lists, read_in_slices
from postclick.data.read.log_source import LogSource
from postclick.errors import InputError

CHUNK_BYTES = 256 << 20
CSV_BLOCK_BYTES = 16 << 20
HEADER_BYTES = 64 << 10
# What stands for a missing value in text; empty text always does.
NULL_TEXT = ["", "NULL", "null", "NaN", "nan"]


class FileSource(LogSource):
    """One file, which has to stay as it was when it was opened for as long as it is read."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._opened = self._identity()

    @property
    def files(self) -> tuple[Path, ...]:
        return (self._path,)

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        self.require(columns)
        self._require_same()
        try:
            for frame in self._read(columns):
                self._require_same()
                yield frame
        except InputError:
            self._require_same()  # what a writer did is no damage
            raise
        self._require_same()

    @abstractmethod
    def _read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Frames of just these columns."""

    def state(self) -> tuple[str, ...]:
        facts = self._path.stat()
        return (str(self._path.resolve()), str(facts.st_size), str(facts.st_mtime_ns))

    def _identity(self) -> tuple[int, ...] | None:
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_ino, facts.st_size, facts.st_mtime_ns

    def _require_same(self) -> None:
        if self._identity() != self._opened:
            raise InputError(
                f"{self.name} changed while it was read: begin again when nobody writes to it, "
                "or read a copy"
            )


class ParquetSource(FileSource):
    """One Parquet file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            schema = pq.read_schema(path)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is not a readable Parquet file: {error}") from None
        self._columns = tuple(schema.names)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    def _read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        try:
            with pq.ParquetFile(self._path) as file:
                rows = _batch_rows(file.metadata)
                if has_fixed_size_lists(file.schema_arrow, columns):
                    yield from read_in_slices(self._path, columns, rows, file.metadata.num_rows)
                    return
                for batch in file.iter_batches(rows, columns=list(columns)):
                    yield _frame(pa.Table.from_batches([batch])).select(list(columns))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} breaks off or is damaged: {error}") from None


class CsvSource(FileSource):
    """One CSV or TSV file with a header, plain or compressed; every column is read as text."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._delimiter = "\t" if ".tsv" in "".join(path.suffixes) else ","
        self._columns = self._header()

    def _header(self) -> tuple[str, ...]:
        # A small block is quick to parse; a longer first line needs a large one.
        try:
            reader = self._open(None, HEADER_BYTES)
        except InputError:
            reader = self._open(None)
        if reader is None:
            raise InputError(f"{self.name} is empty: expected a header line and rows")
        names = tuple(reader.schema.names)
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise InputError(f"{self.name}: column {twice!r} stands twice in the header")
        return names

    def _open(
        self, columns: Sequence[str] | None, block_bytes: int | None = None
    ) -> pa_csv.CSVStreamingReader | None:
        names = columns if columns is not None else ()
        convert = pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=list(names) or None,
            null_values=NULL_TEXT,
            strings_can_be_null=True,
        )
        try:
            stream = pa.input_stream(str(self._path), compression="detect")
            return pa_csv.open_csv(
                stream,
                read_options=pa_csv.ReadOptions(block_size=block_bytes or CSV_BLOCK_BYTES),
                parse_options=pa_csv.ParseOptions(delimiter=self._delimiter),
                convert_options=convert,
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return None
            raise InputError(f"{self.name} cannot be read as CSV: {error}") from None
        except OSError as error:
            raise InputError(f"{self.name} cannot be read: {error}") from None

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    def _read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        reader = self._open(columns)
        if reader is None:
            return
        try:
            for batch in reader:
                yield _frame(pa.Table.from_batches([batch])).select(list(columns))
        except (OSError, pa.ArrowException) as error:
            raise InputError(
                f"{self.name} cannot be read to its end as CSV: {error}: "
                "mend or remove the line, or write the log as Parquet"
            ) from None


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """`CHUNK_ROWS`, or fewer where rows are long."""
    size = sum(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))
    return int(min(log_source.CHUNK_ROWS, 1 + CHUNK_BYTES * metadata.num_rows // max(size, 1)))


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    frame.columns = table.column_names  # polars gives a column without a name another one
    return frame
