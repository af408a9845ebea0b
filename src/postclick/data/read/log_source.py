"""A raw log as a stream of frames."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from postclick.data.read import chunks
from postclick.data.read.files.record_leaves import Leaves, leaves_in
from postclick.data.read.tables.arrow_frame import as_text
from postclick.errors import InputError
from postclick.suggest import meant


class LogSource(ABC):
    """A log that can be read again and again, always in the same order and the same chunks.

    Attributes:
        name: what messages call it, usually the path.
        read_as: how it is read where that was told from its content, such as
            "with separator ';'"; empty where it is what its name says.
        heeds: the settings of text files that it is read by.
    """

    name: str
    read_as: str = ""
    heeds: tuple[str, ...] = ()

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, in file order."""

    @abstractmethod
    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield the rows, in order, as frames with just `columns`."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of how it is read, one sentence each."""
        return (f"{self.name} is read {self.read_as}",) if self.read_as else ()

    @property
    def decimal(self) -> str | None:
        """What separates decimals in its text; None where that is not known."""
        return None

    def state(self) -> tuple[str, ...] | None:
        """What changes when the log does; None if the log cannot tell."""
        return None

    @property
    def records(self) -> Leaves:
        """Columns that hold records, each with the paths of the values in it."""
        return {}

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it reads, where it reads files."""
        return ()

    def require(self, columns: Sequence[str]) -> None:
        """Raise `InputError` naming every column that is missing."""
        missing = [c for c in columns if c not in self.columns]
        if missing:
            have = ", ".join(self.columns[:12]) + (", ..." if len(self.columns) > 12 else "")
            named = [repr(c) + meant(c, self.columns) for c in missing]
            raise InputError(
                f"{self.name}: no column {', '.join(named)}; it has {have}: "
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
        for frame in self._frame.select(list(columns)).iter_slices(chunks.CHUNK_ROWS):
            yield as_text(frame)

    @property
    def records(self) -> Leaves:
        return leaves_in(self._frame.schema)

    def state(self) -> tuple[str, ...]:
        rows = self._frame.hash_rows(seed=0).cast(pl.String).str.join("").hash()
        return (*(f"{n} {t}" for n, t in self._frame.schema.items()), str(rows.to_list()))
