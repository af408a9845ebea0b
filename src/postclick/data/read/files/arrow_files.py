"""Raw logs in Arrow IPC files and streams (Feather), and in ORC files."""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl
import pyarrow as pa
from pyarrow import orc

from postclick.data.read import log_source
from postclick.data.read.files.file_source import FileSource, frame_of, require_different
from postclick.data.read.files.record_leaves import Leaves, leaves_of
from postclick.data.read.places.listing import Place
from postclick.data.read.places.remote_path import random_access
from postclick.data.read.tables.arrow_frame import rechunked
from postclick.errors import InputError


class ArrowFileSource(FileSource):
    """One Arrow IPC file, also called Feather; memory holds one of its record batches."""

    def __init__(self, path: Place) -> None:
        super().__init__(path)
        try:
            with random_access(path) as file, pa.ipc.open_file(file) as reader:
                schema = reader.schema
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is not a readable Arrow IPC file: {error}") from None
        self._columns = require_different(schema.names, self.name)
        self._records = leaves_of(schema)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    @property
    def records(self) -> Leaves:
        return self._records

    def _read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        options = _only(self._columns, columns)
        try:
            with (
                random_access(self._path) as file,
                pa.ipc.open_file(file, options=options) as reader,
            ):
                batches = map(reader.get_batch, range(reader.num_record_batches))
                yield from _frames(batches, columns)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} breaks off or is damaged: {error}") from None


class ArrowStreamSource(FileSource):
    """One Arrow IPC stream in a file, or several behind each other."""

    def __init__(self, path: Place) -> None:
        super().__init__(path)
        try:
            with random_access(path) as file, pa.ipc.open_stream(file) as reader:
                schema = reader.schema
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is not a readable Arrow IPC stream: {error}") from None
        self._columns = require_different(schema.names, self.name)
        self._records = leaves_of(schema)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    @property
    def records(self) -> Leaves:
        return self._records

    def _read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        options = _only(self._columns, columns)
        try:
            with random_access(self._path) as file:
                yield from _frames(_streamed(file, options), columns)
                ended = _ends_with_mark(self._path)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} breaks off or is damaged: {error}") from None
        if not ended:
            raise InputError(
                f"{self.name} breaks off: a stream ends with a mark, this one does not: "
                "close its writer, or fetch the file again"
            )


class OrcSource(FileSource):
    """One ORC file; memory holds one of its stripes."""

    def __init__(self, path: Place) -> None:
        super().__init__(path)
        try:
            with random_access(path) as file:
                schema = orc.ORCFile(file).schema
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is not a readable ORC file: {error}") from None
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
            with random_access(self._path) as raw:
                file = orc.ORCFile(raw)
                names = list(columns)
                stripes = (file.read_stripe(number, names) for number in range(file.nstripes))
                yield from _frames(stripes, columns)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} breaks off or is damaged: {error}") from None


def _only(have: Sequence[str], columns: Sequence[str]) -> pa.ipc.IpcReadOptions:
    return pa.ipc.IpcReadOptions(included_fields=sorted(have.index(name) for name in columns))


def _streamed(file: pa.NativeFile, options: pa.ipc.IpcReadOptions) -> Iterator[pa.RecordBatch]:
    """The batches of all streams in a file."""
    size = file.size()
    while file.tell() < size:
        yield from pa.ipc.open_stream(file, options=options)


def _frames(batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Frames of `CHUNK_ROWS` rows however the batches come, for sums go by them."""
    tables = (pa.Table.from_batches([batch]) for batch in batches)
    for table in rechunked(tables, log_source.CHUNK_ROWS):
        yield frame_of(table).select(list(columns))


def _ends_with_mark(path: Place) -> bool:
    """Whether the last message is the end-of-stream mark of the format."""
    with path.open("rb") as file:
        file.seek(-8, 2)
        end = file.read(8)
    return end == b"\xff\xff\xff\xff\0\0\0\0"
