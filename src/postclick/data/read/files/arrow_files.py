"""Raw logs in Arrow IPC files and streams (Feather), and in ORC files."""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl
import pyarrow as pa
from pyarrow import orc

from postclick.data.read.files.schema_file import SchemaFile
from postclick.data.read.places.listing import Place
from postclick.data.read.tables.arrow_frame import frames_of
from postclick.errors import InputError


class ArrowFileSource(SchemaFile):
    """One Arrow IPC file, also called Feather; memory holds one of its record batches."""

    format = "Arrow IPC file"

    def _schema(self, file: pa.NativeFile) -> pa.Schema:
        with pa.ipc.open_file(file) as reader:
            return reader.schema

    def _frames(self, file: pa.NativeFile, columns: list[str]) -> Iterator[pl.DataFrame]:
        with pa.ipc.open_file(file, options=_only(self._columns, columns)) as reader:
            batches = map(reader.get_batch, range(reader.num_record_batches))
            yield from frames_of(_tables(batches), columns)


class ArrowStreamSource(SchemaFile):
    """One Arrow IPC stream in a file, or several behind each other."""

    format = "Arrow IPC stream"

    def _schema(self, file: pa.NativeFile) -> pa.Schema:
        with pa.ipc.open_stream(file) as reader:
            return reader.schema

    def _frames(self, file: pa.NativeFile, columns: list[str]) -> Iterator[pl.DataFrame]:
        batches = _streamed(file, _only(self._columns, columns))
        yield from frames_of(_tables(batches), columns)
        if not _ends_with_mark(self._path):
            raise InputError(
                f"{self.name} breaks off: a stream ends with a mark, this one does not: "
                "close its writer, or fetch the file again"
            )


class OrcSource(SchemaFile):
    """One ORC file; memory holds one of its stripes."""

    format = "ORC file"

    def _schema(self, file: pa.NativeFile) -> pa.Schema:
        return orc.ORCFile(file).schema

    def _frames(self, file: pa.NativeFile, columns: list[str]) -> Iterator[pl.DataFrame]:
        whole = orc.ORCFile(file)
        stripes = (whole.read_stripe(number, columns) for number in range(whole.nstripes))
        yield from frames_of(_tables(stripes), columns)


def _only(have: Sequence[str], columns: Sequence[str]) -> pa.ipc.IpcReadOptions:
    return pa.ipc.IpcReadOptions(included_fields=sorted(have.index(name) for name in columns))


def _streamed(file: pa.NativeFile, options: pa.ipc.IpcReadOptions) -> Iterator[pa.RecordBatch]:
    """The batches of all streams in a file."""
    size = file.size()
    while file.tell() < size:
        yield from pa.ipc.open_stream(file, options=options)


def _tables(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    return (pa.Table.from_batches([batch]) for batch in batches)


def _ends_with_mark(path: Place) -> bool:
    """Whether the last message is the end-of-stream mark of the format."""
    with path.open("rb") as file:
        file.seek(-8, 2)
        end = file.read(8)
    return end == b"\xff\xff\xff\xff\0\0\0\0"
