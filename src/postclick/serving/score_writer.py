"""Scores to a file, chunk by chunk, in the format that its name says."""

import gzip
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Protocol, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from postclick.calibration.probabilities import PREDICTIONS
from postclick.errors import InputError

# Rows of a group in the file that is written.
GROUP_ROWS = 262_144


class _Format(Protocol):
    """Writes frames of one schema one after the other."""

    def __init__(self, file: IO[bytes]) -> None: ...

    @property
    def refuse(self) -> Callable[[pl.Schema], None]: ...

    def write(self, frame: pl.DataFrame) -> None: ...

    def close(self) -> None: ...


class _Binary(ABC):
    """A format of Arrow tables, whose writer is opened for the schema of the first."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._writer: pq.ParquetWriter | pa.ipc.RecordBatchFileWriter | None = None

    @staticmethod
    def refuse(schema: pl.Schema) -> None:
        """Raise `InputError` for a column that Arrow has no type for."""
        for name, kind in schema.items():
            if kind in (pl.Int128, pl.UInt128):
                raise InputError(
                    f"column {name!r} holds {kind}, which Arrow cannot: keep other columns, or "
                    "write .csv or .jsonl"
                )

    @abstractmethod
    def _open(self, schema: pa.Schema) -> pq.ParquetWriter | pa.ipc.RecordBatchFileWriter:
        """A writer of tables of this schema."""

    def write(self, frame: pl.DataFrame) -> None:
        table = frame.to_arrow()
        if self._writer is None:
            self._writer = self._open(table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class _Parquet(_Binary):
    def _open(self, schema: pa.Schema) -> pq.ParquetWriter:
        # Scores are all different: looking for repetitions would only take time.
        repeated = [name for name in schema.names if name not in PREDICTIONS]
        return pq.ParquetWriter(self._file, schema, compression="zstd", use_dictionary=repeated)


class _Arrow(_Binary):
    def _open(self, schema: pa.Schema) -> pa.ipc.RecordBatchFileWriter:
        return pa.ipc.new_file(self._file, schema)


class _Csv:
    separator = ","

    @staticmethod
    def refuse(schema: pl.Schema) -> None:
        """Raise `InputError` for a column that CSV cannot hold."""
        for name, kind in schema.items():
            if kind.is_nested() or kind in (pl.Binary, pl.Duration, pl.Object):
                others = ".parquet" if _has_binary(kind) else ".parquet or .jsonl"
                raise InputError(
                    f"column {name!r} holds {kind}, which CSV cannot: keep other columns, or "
                    f"write {others}"
                )

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._begun = False

    def write(self, frame: pl.DataFrame) -> None:
        frame.write_csv(self._file, include_header=not self._begun, separator=self.separator)
        self._begun = True

    def close(self) -> None:
        """Nothing is left to be written."""


class _Tsv(_Csv):
    separator = "\t"


class _JsonLines:
    @staticmethod
    def refuse(schema: pl.Schema) -> None:
        """Raise `InputError` for a column that JSON cannot hold."""
        for name, kind in schema.items():
            if _has_binary(kind):
                raise InputError(
                    f"column {name!r} holds {kind}, which JSON cannot: keep other columns, or "
                    "write .parquet"
                )

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, frame: pl.DataFrame) -> None:
        frame.write_ndjson(self._file)

    def close(self) -> None:
        """Nothing is left to be written."""


class _Packed:
    """Text through gzip; no time stamp, so that the same scores give the same bytes."""

    def __init__(self, file: IO[bytes], text: Callable[[IO[bytes]], _Format]) -> None:
        self._packed = gzip.GzipFile("", "wb", 6, file, mtime=0)
        self._text = text(self._packed)  # type: ignore[arg-type]
        self.refuse = self._text.refuse

    def write(self, frame: pl.DataFrame) -> None:
        self._text.write(frame)

    def close(self) -> None:
        self._packed.close()


def _has_binary(kind: pl.DataType) -> bool:
    """Whether bytes lie in values of a type."""
    if isinstance(kind, pl.Struct):
        return any(_has_binary(field.dtype) for field in kind.fields)  # type: ignore[arg-type]
    if isinstance(kind, pl.List | pl.Array):
        return _has_binary(kind.inner)  # type: ignore[arg-type]
    return kind in (pl.Binary, pl.Object)


_TEXT: dict[str, type[_Format]] = {".csv": _Csv, ".tsv": _Tsv, ".jsonl": _JsonLines}
_BINARY: dict[str, type[_Format]] = {
    ".parquet": _Parquet,
    ".pq": _Parquet,
    ".arrow": _Arrow,
    ".feather": _Arrow,
}


def format_of(out: Path) -> Callable[[IO[bytes]], _Format]:
    """What writes the format that the name says, in any letter case.

    Raises:
        InputError: it says none that is written.
    """
    name = out.name.lower()
    packed = name.endswith(".gz")
    suffix = Path(name.removesuffix(".gz")).suffix
    if packed and suffix in _TEXT:
        text = _TEXT[suffix]
        return lambda file: _Packed(file, text)
    kind = _TEXT.get(suffix) or _BINARY.get(suffix)
    if kind is None or packed:
        known = ", ".join([*_BINARY, *_TEXT])
        raise InputError(f"{out}: scores are written as {known}, text also as .gz: name one such")
    return kind


class ScoreWriter(AbstractContextManager["ScoreWriter"]):
    """Writes frames of scores in groups of `GROUP_ROWS`."""

    def __init__(self, file: IO[bytes], out: Path) -> None:
        self._format = format_of(out)(file)
        self._name = out
        self._schema: pl.Schema | None = None
        self._frames: list[pl.DataFrame] = []
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._format.close()

    def add(self, frame: pl.DataFrame) -> None:
        if self._schema is None:
            self._format.refuse(frame.schema)
            self._schema = frame.schema
        if frame.schema != self._schema:
            raise InputError(
                f"{self._name}: files of the log hold different types in the columns to keep: "
                "write them with the same type, or keep other columns"
            )
        self._frames.append(frame)
        self._rows += frame.height
        if self._rows >= GROUP_ROWS:
            self._flush()

    def finish(self, empty: pl.DataFrame) -> None:
        """Write what is left; a log without rows gives the columns of `empty`."""
        if self._frames or self._schema is None:
            self._frames = self._frames or [empty]
            self._flush()

    def _flush(self) -> None:
        self._format.write(pl.concat(self._frames, rechunk=True))
        self._frames, self._rows = [], 0
