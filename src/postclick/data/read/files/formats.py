"""Which format a file is in, by its first bytes and its name."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from postclick.data.read.files.arrow_files import ArrowFileSource, ArrowStreamSource, OrcSource
from postclick.data.read.files.avro_file import AvroSource
from postclick.data.read.files.file_source import FileSource
from postclick.data.read.files.parquet_source import ParquetSource
from postclick.data.read.files.text.byte_stream import (
    COMPRESSED_SUFFIXES,
    compression_of,
    mark_of,
    open_bytes,
)
from postclick.data.read.files.text.csv_source import CsvSource
from postclick.data.read.files.text.json_lines import JsonLinesSource
from postclick.data.read.places.listing import Place
from postclick.data.read.places.store import told_by
from postclick.data.schema.reading import ReadSettings
from postclick.errors import InputError

HEAD_BYTES = 4096
Opener = Callable[[Place], FileSource]
# How binary files begin, what they are called, and who reads them.
READ: tuple[tuple[bytes, str, Opener], ...] = (
    (b"PAR1", "Parquet", ParquetSource),
    (b"ARROW1\0\0", "Arrow IPC", ArrowFileSource),
    (b"\xff\xff\xff\xff", "an Arrow IPC stream", ArrowStreamSource),
    (b"Obj\x01", "Avro", AvroSource),
    (b"ORC", "ORC", OrcSource),
)
AS_CSV = "save it as CSV or Parquet"
REFUSED: tuple[tuple[bytes, str, str], ...] = (
    (b"PARE", "encrypted Parquet", "write it without encryption"),
    (b"FEA1", "Feather of version 1", "write it with pyarrow.feather.write_feather, or as Parquet"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook", f"unpack it, or {AS_CSV}"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", AS_CSV),
    (b"\xfd7zXZ\0", "compressed with xz", "unpack it, or compress it with gzip or zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!", "a rar archive", "unpack it"),
    (b"SQLite format 3\0", "an SQLite database", "write the table as CSV or Parquet"),
    (b"\x89HDF", "HDF5", "write the table as CSV or Parquet"),
    (b"\x93NUMPY", "a NumPy array", "write a table as Parquet"),
    (b"SEQ\x06", "a Hadoop sequence file", "write the table as Parquet"),
    (b"%PDF", "a PDF", AS_CSV),
    (b"RDX3\n", "R data", "write it with write.csv or arrow::write_parquet"),
    (b"{\\rtf", "rich text", "save it as plain text"),
    (b"<?xml", "XML", AS_CSV),
    (b"<!DOCTYPE", "a web page, not the file it links to", "download the file itself"),
    (b"<html", "a web page, not the file it links to", "download the file itself"),
    *(
        (b"\x80" + bytes([k]), "a Python pickle", "write it with .to_parquet()")
        for k in range(2, 6)
    ),
)
NAMED: dict[str, tuple[str, Opener]] = {
    ".parquet": ("Parquet", ParquetSource),
    ".pq": ("Parquet", ParquetSource),
    ".arrow": ("Arrow IPC", ArrowFileSource),
    ".feather": ("Arrow IPC", ArrowFileSource),
    ".ipc": ("Arrow IPC", ArrowFileSource),
    ".arrows": ("an Arrow IPC stream", ArrowStreamSource),
    ".avro": ("Avro", AvroSource),
    ".orc": ("ORC", OrcSource),
}
TEXT = (".csv", ".tsv", ".tab", ".psv")
JSON = (".jsonl", ".ndjson", ".json")
# What a folder is searched for, in any letter case.
LOG_SUFFIXES = (
    *NAMED,
    *(text + packed for text in (*TEXT, *JSON) for packed in ("", *COMPRESSED_SUFFIXES)),
)


def open_file(path: Place, read: ReadSettings | None = None) -> FileSource:
    """Open one file as what it is.

    Args:
        read: how text is written; the rest is told from its first lines.

    Raises:
        InputError: it is unreadable, or in a format that is not read.
    """
    try:
        return _opened(path, read)
    except InputError as error:
        if isinstance(path, Path):
            raise
        raise InputError(told_by(error)) from None


def _opened(path: Place, read: ReadSettings | None) -> FileSource:
    compression = compression_of(path)
    head = _head(path, compression)
    name = path.name.lower()
    if compression is not None:
        name = name.removesuffix(path.suffix.lower()) if _is_packed(path) else name
    named = next((entry for suffix, entry in NAMED.items() if name.endswith(suffix)), None)
    for magic, kind, opener in READ:
        if head.startswith(magic):
            if compression is not None:
                raise InputError(f"{path} is {kind} within {compression}: unpack it first")
            source = opener(path)
            if named is None or named[0] != kind:
                source.read_as = f"as {kind}, which its first bytes say it is"
            return source
    for magic, kind, mend in REFUSED:
        if head.startswith(magic):
            raise InputError(f"{path} is {kind}, which is not read: {mend}")
    if head[257:262] == b"ustar":
        raise InputError(f"{path} is a tar archive, which is not read: unpack it")
    if named is not None and compression is None:
        return named[1](path)  # refuses it
    is_json = name.endswith(JSON)
    if is_json or _is_json_lines(head):
        source = JsonLinesSource(path, read)
        if not is_json:
            source.read_as = "as JSON lines, which its first line says it is"
        return source
    return CsvSource(path, read)


def _is_packed(path: Place) -> bool:
    return path.suffix.lower() in COMPRESSED_SUFFIXES


def _head(path: Place, compression: str | None) -> bytes:
    try:
        with open_bytes(path, compression) as stream:
            return bytes(stream.read(HEAD_BYTES))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def _is_json_lines(head: bytes) -> bool:
    """Whether the first line is a JSON object, or begins like one that is longer than `head`."""
    if mark_of(head) == "utf-16":
        head = head.decode("utf-16", "ignore").encode()
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith(b"{"):
        return False
    line, newline, _ = start.partition(b"\n")
    try:
        return isinstance(json.loads(line), dict)
    except RecursionError:
        return True  # told where it is read
    except ValueError:
        return not newline and len(head) >= HEAD_BYTES and line[1:].lstrip().startswith(b'"')
