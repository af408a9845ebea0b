"""Raw logs in files with an Arrow schema."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import polars as pl
import pyarrow as pa

from postclick.data.read.files.file_source import FileSource, require_different
from postclick.data.read.files.record_leaves import Leaves, leaves_of
from postclick.data.read.places.listing import Place
from postclick.data.read.places.remote_path import random_access
from postclick.errors import InputError


class SchemaFile(FileSource):
    """One file whose schema pyarrow tells.

    Attributes:
        format: what the file is, in messages.
    """

    format: ClassVar[str]

    def __init__(self, path: Place) -> None:
        super().__init__(path)
        try:
            with random_access(path) as file:
                schema = self._schema(file)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is not a readable {self.format}: {error}") from None
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
            with random_access(self._path) as file:
                yield from self._frames(file, list(columns))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} breaks off or is damaged: {error}") from None

    @abstractmethod
    def _schema(self, file: pa.NativeFile) -> pa.Schema:
        """The schema of an open file."""

    @abstractmethod
    def _frames(self, file: pa.NativeFile, columns: list[str]) -> Iterator[pl.DataFrame]:
        """Frames of just these columns."""
