"""`RemotePath`: a file or folder in an object store, with what file sources need of a path."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.fs as pa_fs

from postclick.data.read.places.store import Store, refusing
from postclick.errors import InputError


@dataclass(frozen=True)
class RemoteStat:
    """What tells one version of a file from another; `st_ino` is a hash of the store's ETag."""

    st_ino: int
    st_size: int
    st_mtime_ns: int


@dataclass(frozen=True)
class RemotePath:
    """A path within `store`. Its text is its URL.

    >>> from pyarrow.fs import LocalFileSystem
    >>> path = RemotePath(Store(LocalFileSystem(), "s3://bucket", "bucket"), "bucket/a/log.csv.gz")
    >>> str(path), path.name, path.suffixes, (path.parent / "b.csv").path
    ('s3://bucket/a/log.csv.gz', 'log.csv.gz', ['.csv', '.gz'], 'bucket/a/b.csv')
    """

    store: Store
    path: str

    def __str__(self) -> str:
        return self.store.url_of(self.path)

    @property
    def address(self) -> str:
        """Its URL with what opens it, which is not to be told."""
        return self.store.address_of(self.path)

    def __truediv__(self, name: str) -> "RemotePath":
        return RemotePath(self.store, f"{self.path.rstrip('/')}/{name}")

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(part for part in self.path.split("/") if part)

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def suffixes(self) -> list[str]:
        return PurePosixPath(self.name).suffixes

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "RemotePath":
        return RemotePath(self.store, self.path.rstrip("/").rpartition("/")[0])

    def resolve(self) -> "RemotePath":
        """Itself: a store has no links."""
        return self

    def is_dir(self) -> bool:
        return bool(self._info().type == pa_fs.FileType.Directory)

    def is_file(self) -> bool:
        return bool(self._info().type == pa_fs.FileType.File)

    def exists(self) -> bool:
        return bool(self._info().type != pa_fs.FileType.NotFound)

    def children(self, *, deep: bool = False) -> Iterator["RemotePath"]:
        """What lies in this folder, or `deep` in it and all folders below: files alone."""
        with refusing(str(self)):
            found = self.store.filesystem.get_file_info(
                pa_fs.FileSelector(self.path.rstrip("/"), recursive=deep)
            )
        for info in found:
            if not deep or info.type == pa_fs.FileType.File:
                yield RemotePath(self.store, info.path)

    def stat(self) -> RemoteStat:
        """Size, time and ETag as the store tells them now.

        Raises:
            FileNotFoundError: nothing is there any more.
        """
        info = self._info()
        if info.type == pa_fs.FileType.NotFound:
            raise FileNotFoundError(str(self))
        with refusing(str(self)), self.store.filesystem.open_input_stream(self.path) as stream:
            facts = {_text(k).lower(): _text(v) for k, v in (stream.metadata() or {}).items()}
        digest = blake2b(facts.get("etag", "").encode(), digest_size=8).digest()
        return RemoteStat(int.from_bytes(digest, "little"), info.size or 0, info.mtime_ns or 0)

    def open(self, mode: str = "rb") -> io.BufferedReader:
        """The file for reading from any place in it, as `Path.open` does."""
        assert mode == "rb", mode
        return io.BufferedReader(random_access(self))

    def read_bytes(self) -> bytes:
        with refusing(str(self)), self.open() as file:
            return bytes(file.read())

    def _info(self) -> Any:
        with refusing(str(self)):
            return self.store.filesystem.get_file_info(self.path.rstrip("/"))


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def missing(place: object) -> InputError:
    """What to say of a path or URL at which nothing is."""
    hint = "the bucket, the path and the credentials" if "://" in str(place) else "the path"
    return InputError(f"log {place} does not exist: check {hint}")


def random_access(place: Path | RemotePath) -> pa.NativeFile:
    """A file for reading from any place in it."""
    if not isinstance(place, RemotePath):
        return pa.OSFile(str(place))
    with refusing(str(place)):
        return place.store.filesystem.open_input_file(place.path)


def byte_stream(place: Path | RemotePath, compression: str | None = "detect") -> pa.NativeFile:
    """The unpacked bytes of a file from its beginning; "detect" goes by its suffix."""
    if not isinstance(place, RemotePath):
        return pa.input_stream(str(place), compression=compression)
    with refusing(str(place)):
        return place.store.filesystem.open_input_stream(place.path, compression=compression)
