"""Logs in memory or behind an Arrow stream, read again and again in the same chunks."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from hashlib import blake2b

import polars as pl
import pyarrow as pa

from postclick.data.read import chunks
from postclick.data.read.chunks import rechunked
from postclick.data.read.files.record_leaves import Leaves, leaves_in, leaves_of
from postclick.data.read.log_source import LogSource
from postclick.data.read.tables.arrow_frame import as_text, frames_of, is_readable
from postclick.errors import InputError


class ArrowSource(LogSource):
    """A log that gives Arrow tables; `CHUNK_ROWS` rows make a frame however they come."""

    def __init__(self, name: str, schema: pa.Schema) -> None:
        """Raises `InputError` where two columns have one name."""
        self.name = name
        names = tuple(schema.names)
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise InputError(f"{name}: two columns are called {twice!r}: rename one of them")
        self.columns_schema = schema

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.columns_schema.names)

    @property
    def records(self) -> Leaves:
        return leaves_of(self.columns_schema)

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        self.require(columns)
        yield from frames_of(self._tables(list(columns)), columns)

    @abstractmethod
    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """The rows in order, with `columns` and perhaps others."""

    def state(self) -> tuple[str, ...] | None:
        names = [field.name for field in self.columns_schema if is_readable(field.type)]
        return content_state(self, names)


class TableSource(ArrowSource):
    """An Arrow table in memory.

    >>> source = TableSource(pa.table({"click": [0, 1]}))
    >>> [frame.height for frame in source.frames(["click"])]
    [2]
    """

    def __init__(self, table: pa.Table, name: str = "table") -> None:
        super().__init__(name, table.schema)
        self._table = table

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        yield self._table.select(columns)


class DatasetSource(ArrowSource):
    """A `pyarrow.dataset.Dataset`, in the order of its fragments."""

    def __init__(self, dataset: "pa.dataset.Dataset", name: str = "dataset") -> None:
        super().__init__(name, dataset.schema)
        self._dataset = dataset

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        try:
            for batch in self._dataset.to_batches(columns=columns):
                yield pa.Table.from_batches([batch])
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.name} breaks off or is damaged: {error}") from None


class LazySource(LogSource):
    """A polars `LazyFrame`, collected in batches each time it is read."""

    def __init__(self, frame: pl.LazyFrame, name: str = "lazy frame") -> None:
        self.name = name
        self._frame = frame
        try:
            self._schema = frame.collect_schema()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"{name} cannot be read: {error}") from None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._schema)

    @property
    def records(self) -> Leaves:
        return leaves_in(self._schema)

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        self.require(columns)
        try:
            chosen = self._frame.select(list(columns))
            batches = chosen.collect_batches(maintain_order=True)
            for frame in rechunked(batches, chunks.CHUNK_ROWS, pl.concat):
                yield as_text(frame)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"{self.name} cannot be read to its end: {error}") from None

    def state(self) -> tuple[str, ...]:
        return content_state(self)


def content_state(log: LogSource, columns: Sequence[str] | None = None) -> tuple[str, ...]:
    """A digest of all rows, for a log that has no version: it is read once more for it."""
    digest = blake2b(digest_size=16)
    kinds: tuple[str, ...] = ()
    for frame in log.frames(log.columns if columns is None else columns):
        kinds = kinds or tuple(f"{name} {kind}" for name, kind in frame.schema.items())
        digest.update(frame.hash_rows(seed=0).to_numpy().tobytes())
    return (*(kinds or log.columns), digest.hexdigest())
