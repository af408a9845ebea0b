"""The bytes of a text file as UTF-8, whatever it was compressed and encoded with."""

import codecs
import io
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from postclick.data.read.places.listing import Place
from postclick.data.read.places.remote_path import byte_stream
from postclick.errors import InputError

# How compressed files begin.
COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\x04\x22\x4d\x18": "lz4",
}
COMPRESSED_SUFFIXES = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".lz4": "lz4"}
# Byte-order marks: the longer of two that begin alike comes first.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# A character of one byte may take three in UTF-8.
GROWTH = 3


def compression_of(path: Place) -> str | None:
    """How the file is compressed, by its first bytes.

    Raises:
        InputError: it cannot be read, or its name says otherwise.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    found = next((kind for magic, kind in COMPRESSIONS.items() if head.startswith(magic)), None)
    named = COMPRESSED_SUFFIXES.get(path.suffix.lower())
    if named is not None and found != named and head:
        raise InputError(
            f"{path} cannot be read: its name says {named}, its first bytes do not: "
            "give it the name of what it is, or fetch it again"
        )
    return found


def open_bytes(path: Place, compression: str | None) -> io.FileIO | pa.NativeFile:
    """The unpacked bytes of a file.

    Raises:
        InputError: it cannot be opened.
    """
    try:
        if compression is None and isinstance(path, Path):
            return io.FileIO(path)  # copies once less than Arrow's files do
        return byte_stream(path, compression)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def mark_of(head: bytes) -> str | None:
    """The encoding that a byte-order mark tells of.

    >>> mark_of("a,b".encode("utf-16"))
    'utf-16'
    """
    return next((name for mark, name in MARKS if head.startswith(mark)), None)


def is_utf8(encoding: str) -> bool:
    """Whether bytes in this encoding need no conversion."""
    return codecs.lookup(encoding).name in ("utf-8", "ascii")


class SpacedQuote(Exception):
    """A quoted field stands after a separator and spaces, which fast readers take for text."""


class Utf8Stream(io.RawIOBase):
    """A stream of bytes as UTF-8, to be read from once, in pieces.

    Args:
        raw: the unpacked bytes.
        encoding: what they are written in.
        watch: matches a quoted field after spaces; `SpacedQuote` is raised where it stands.
    """

    def __init__(
        self, raw: io.FileIO | pa.NativeFile, encoding: str, watch: re.Pattern[bytes] | None = None
    ) -> None:
        super().__init__()
        self._raw = raw
        self._decoder = None if is_utf8(encoding) else codecs.getincrementaldecoder(encoding)()
        self._watch = watch
        self._pending = b""
        self._held = b""
        self._tail = b""  # a field may begin in one piece and its quote stand in the next

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, all for a negative one; none at the end.

        Raises:
            UnicodeDecodeError: they are not in the encoding.
            SpacedQuote: as the class says.
        """
        data = self._piece(size)
        if data.endswith(b"\r") and size > 1:  # a piece that cuts CR LF in two costs the LF
            data, self._held = data[:-1], b"\r"
            if not data:
                data = self._piece(size)
        if self._watch is not None:
            if b'"' in data and self._watch.search(self._tail + data):
                raise SpacedQuote
            self._tail = data[-64:]
        return data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """As `io.RawIOBase.readinto`, so that `io.BufferedReader` can be put on it."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        super().close()
        self._raw.close()

    def _piece(self, size: int) -> bytes:
        held, self._held = self._held, b""
        left = size - len(held) if size >= 0 else size
        return held + (self._raw.read(left) if self._decoder is None else self._decoded(left))

    def _decoded(self, size: int) -> bytes:
        assert self._decoder is not None
        if size < 0:
            data = self._pending + self._decoder.decode(self._raw.read(), final=True).encode()
            self._pending = b""
            return data
        while not self._pending:
            raw = self._raw.read(max(1, size // GROWTH))
            self._pending = self._decoder.decode(raw, final=not raw).encode()
            if not raw:
                break
        data, self._pending = self._pending[:size], self._pending[size:]
        return data
