"""A raw log in a file."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import polars as pl

from postclick.data.read.log_source import LogSource
from postclick.data.read.places.listing import Place
from postclick.data.read.places.store import told_by
from postclick.errors import InputError


class FileSource(LogSource):
    """One file, which has to stay as it was when it was opened for as long as it is read."""

    def __init__(self, path: Place) -> None:
        self.name = str(path)
        self._path = path
        self._opened = self._identity()

    @property
    def files(self) -> tuple[Path, ...]:
        return (self._path,) if isinstance(self._path, Path) else ()

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        self.require(columns)
        self._require_same()
        try:
            for frame in self._read(columns):
                self._require_same()
                yield frame
        except InputError as error:
            self._require_same()  # what a writer did is no damage
            if isinstance(self._path, Path):
                raise
            raise InputError(told_by(error)) from None
        self._require_same()

    @abstractmethod
    def _read(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Frames of just these columns."""

    def state(self) -> tuple[str, ...]:
        facts = self._path.stat()
        told = (str(self._path.resolve()), str(facts.st_size), str(facts.st_mtime_ns))
        if isinstance(self._path, Path):
            return told
        # What the name leaves out may tell one file from another, but is not to be told.
        address = blake2b(self._path.address.encode(), digest_size=16).hexdigest()
        return (*told, address, str(facts.st_ino))

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


def require_different(names: Sequence[str], name: str) -> tuple[str, ...]:
    """The names of a file's columns.

    Raises:
        InputError: two are the same.
    """
    twice = next((n for n, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise InputError(
            f"{name}: two columns are called {twice!r}: write the file again with one of them "
            "renamed or left out"
        )
    return tuple(names)
