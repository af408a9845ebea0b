"""Raw logs in Avro files, read a few of their blocks at a time."""

import io
import json
from collections.abc import Iterator, Sequence
from typing import IO

import polars as pl

from postclick.data.read.files.file_source import FileSource, require_different
from postclick.data.read.places.listing import Place
from postclick.errors import InputError

MAGIC = b"Obj\x01"
MARK_BYTES = 16
AVRO_BLOCK_BYTES = 32 << 20
# Bytes beyond which a length is compared with what is left of the file.
LARGE = 1 << 20
CODECS = ("null", "deflate", "snappy")


class AvroSource(FileSource):
    """One Avro object container file of records.

    Its blocks are put behind its header again, some at a time, and read by polars: memory holds
    the unpacked rows of 32 MB of the file. Apache Avro 1.11 specification, "Object Container
    Files".
    """

    def __init__(self, path: Place) -> None:
        super().__init__(path)
        try:
            with path.open("rb") as file:
                self._header, meta = _header(file)
                schema = json.loads(meta.get("avro.schema", b"null"))
        except (OSError, EOFError, ValueError) as error:
            raise InputError(f"{path} is not a readable Avro file: {error}") from None
        except RecursionError:
            raise InputError(
                f"{path} is not a readable Avro file: its schema is nested too deeply: write it "
                "as Parquet"
            ) from None
        codec = meta.get("avro.codec", b"null").decode("utf-8", "replace")
        if codec not in CODECS:
            raise InputError(
                f"{path} is compressed with {codec}, which is not read: write it with one of "
                f"{', '.join(CODECS)}, or as Parquet"
            )
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise InputError(f"{path} holds no records: write one record a row, or Parquet")
        fields = schema.get("fields")
        names = [_name_of(field) for field in fields] if isinstance(fields, list) else [None]
        if None in names:
            raise InputError(
                f"{path} is not a readable Avro file: its schema has a field without a name: "
                "write it again, or as Parquet"
            )
        self._columns = require_different([str(name) for name in names], self.name)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    def _read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        try:
            with self._path.open("rb") as file:
                file.seek(len(self._header))
                for blocks in _blocks(file, self._header[-MARK_BYTES:]):
                    frame = pl.read_avro(io.BytesIO(self._header + blocks), columns=list(columns))
                    yield frame.select(list(columns))
        except (OSError, EOFError, ValueError, pl.exceptions.PolarsError) as error:
            text = " ".join(str(error).split())
            raise InputError(f"{self.name} breaks off or is damaged: {text}") from None
        except pl.exceptions.PanicException as error:
            text = " ".join(str(error).split())
            raise InputError(
                f"{self.name} holds Avro that is not read ({text}): write it as Parquet"
            ) from None


def _name_of(field: object) -> str | None:
    name = field.get("name") if isinstance(field, dict) else None
    return name if isinstance(name, str) and "type" in field else None  # type: ignore[operator]


def _header(file: IO[bytes]) -> tuple[bytes, dict[str, bytes]]:
    """All bytes before the first block, and the metadata in them."""
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError("it does not begin with Obj1")
    meta: dict[str, bytes] = {}
    while count := _long(file):
        if count < 0:
            count = -count
            _long(file)  # bytes that follow
        for _ in range(count):
            key = _exactly(file, _long(file)).decode()
            meta[key] = _exactly(file, _long(file))
    end = file.tell() + MARK_BYTES
    file.seek(0)
    return _exactly(file, end), meta


def _blocks(file: io.BufferedReader, mark: bytes) -> Iterator[bytes]:
    """Whole blocks, together about `AVRO_BLOCK_BYTES`."""
    pieces: list[bytes] = []
    size, start = 0, file.tell()
    while file.peek(1):
        _long(file)  # rows
        length = _long(file)
        begin = file.tell()
        file.seek(start)
        piece = _exactly(file, begin - start + length + MARK_BYTES)
        if piece[-MARK_BYTES:] != mark:
            raise ValueError("a block does not end with the mark of the file")
        pieces.append(piece)
        size, start = size + len(piece), file.tell()
        if size >= AVRO_BLOCK_BYTES:
            yield b"".join(pieces)
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


def _long(file: IO[bytes]) -> int:
    """A zigzag varint."""
    value = shift = 0
    while True:
        byte = _exactly(file, 1)[0]
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1)
        if shift > 63:
            raise ValueError("a length is not a number")


def _exactly(file: IO[bytes], size: int) -> bytes:
    if size > LARGE:  # a damaged length may be more than there is memory
        at = file.tell()
        left = file.seek(0, io.SEEK_END) - at
        file.seek(at)
        size = size if size <= left else -1
    data = file.read(size) if size >= 0 else b""
    if size < 0 or len(data) != size:
        raise EOFError("it ends within a block")
    return data
