"""Raw logs as streams of frames: CSV and Parquet, compressed or not, one file or many."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from postclick.errors import InputError

CHUNK_ROWS = 262_144
CHUNK_BYTES = 256 << 20
CSV_BLOCK_BYTES = 16 << 20
HEADER_BYTES = 64 << 10
# What stands for a missing value in text; empty text always does.
NULL_TEXT = ["", "NULL", "null", "NaN", "nan"]
CSV_SUFFIXES = (".csv", ".csv.gz", ".csv.zst", ".csv.bz2", ".tsv", ".tsv.gz", ".tsv.zst")
PARQUET_SUFFIXES = (".parquet", ".pq")


class LogSource(ABC):
    """A log that can be read again and again, always in the same order and the same chunks.

    Attributes:
        name: what messages call it, usually the path.
    """

    name: str

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, in file order."""

    @abstractmethod
    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield the rows, in order, as frames with just `columns`."""

    def state(self) -> tuple[str, ...] | None:
        """What changes when the log does; None if the log cannot tell."""
        return None

    def require(self, columns: Sequence[str]) -> None:
        """Raise `InputError` naming every column that is missing."""
        missing = [c for c in columns if c not in self.columns]
        if missing:
            have = ", ".join(self.columns[:12]) + (", ..." if len(self.columns) > 12 else "")
            raise InputError(
                f"{self.name}: no column {', '.join(map(repr, missing))}; it has {have}: "
                "correct the schema or the log"
            )


class FrameSource(LogSource):
    """A log that is already in memory.

    >>> source = FrameSource(pl.DataFrame({"click": [0, 1]}))
    >>> [frame.height for frame in source.frames(["click"])]
    [2]
    """

    def __init__(self, frame: pl.DataFrame, name: str = "frame") -> None:
        self.name = name
        self._frame = frame

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._frame.columns)

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        self.require(columns)
        yield from self._frame.select(list(columns)).iter_slices(CHUNK_ROWS)

    def state(self) -> tuple[str, ...]:
        rows = self._frame.hash_rows(seed=0).cast(pl.String).str.join("").hash()
        return (*(f"{n} {t}" for n, t in self._frame.schema.items()), str(rows.to_list()))


class ParquetSource(LogSource):
    """One Parquet file."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        try:
            schema = pq.read_schema(path)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is not a readable Parquet file: {error}") from None
        self._columns = tuple(schema.names)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        self.require(columns)
        try:
            with pq.ParquetFile(self._path) as file:
                rows = _batch_rows(file.metadata)
                for batch in file.iter_batches(rows, columns=list(columns)):
                    yield _frame(pa.Table.from_batches([batch])).select(list(columns))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} breaks off or is damaged: {error}") from None

    def state(self) -> tuple[str, ...]:
        return _file_state(self._path)


class CsvSource(LogSource):
    """One CSV or TSV file with a header, plain or compressed; every column is read as text."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
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

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        self.require(columns)
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

    def state(self) -> tuple[str, ...]:
        return _file_state(self._path)


class ManyFiles(LogSource):
    """Several files read one after the other as one log; all must have the same columns."""

    def __init__(self, parts: Sequence[LogSource]) -> None:
        self._parts = tuple(parts)
        self.name = f"{parts[0].name} and {len(parts) - 1} more"
        for part in self._parts[1:]:
            odd = set(part.columns) ^ set(self._parts[0].columns)
            if odd:
                raise InputError(
                    f"{part.name} and {self._parts[0].name} differ in column {sorted(odd)[0]!r}: "
                    "files of one log need the same columns"
                )

    @property
    def columns(self) -> tuple[str, ...]:
        return self._parts[0].columns

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        self.require(columns)
        for part in self._parts:
            yield from part.frames(columns)

    def state(self) -> tuple[str, ...] | None:
        states = [part.state() for part in self._parts]
        known = [state for state in states if state is not None]
        return sum(known, ()) if len(known) == len(states) else None


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """`CHUNK_ROWS`, or fewer where rows are long."""
    size = sum(metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups))
    return int(min(CHUNK_ROWS, 1 + CHUNK_BYTES * metadata.num_rows // max(size, 1)))


def _file_state(path: Path) -> tuple[str, ...]:
    facts = path.stat()
    return (str(path.resolve()), str(facts.st_size), str(facts.st_mtime_ns))


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def open_log(*paths: str | Path) -> LogSource:
    """Open a log: a CSV or Parquet file, several of them, or a folder of them.

    Files of a folder are taken in the order of their names, hidden ones left out. Raises
    `InputError` for a path that does not exist or a folder without logs.
    """
    files = [file for path in paths for file in _files(Path(path))]
    if not files:
        raise InputError("no log given: name a CSV or Parquet file, or a folder of them")
    sources: list[LogSource] = []
    for file in files:
        parquet = file.name.lower().endswith(PARQUET_SUFFIXES)
        sources.append(ParquetSource(file) if parquet else CsvSource(file))
    return sources[0] if len(sources) == 1 else ManyFiles(sources)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = [
            p
            for p in sorted(path.rglob("*"))
            if p.name.lower().endswith(CSV_SUFFIXES + PARQUET_SUFFIXES)
            and not any(part.startswith((".", "_")) for part in p.relative_to(path).parts)
        ]
        if not found:
            raise InputError(f"folder {path} holds no CSV or Parquet file")
        return found
    if not path.exists():
        raise InputError(f"log {path} does not exist: check the path")
    return [path]
