"""`as_source`: whatever holds a log in memory, or streams it, as a `LogSource`."""

import sys
from collections.abc import Collection, Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

import polars as pl
import pyarrow as pa

from postclick.data.read.files.record_fields import with_record_fields
from postclick.data.read.log_source import FrameSource, LogSource
from postclick.data.read.tables.arrow_source import DatasetSource, LazySource, TableSource
from postclick.data.read.tables.pandas_frame import PandasSource, is_pandas
from postclick.errors import InputError

TAKEN = (
    "a path, a URL, a polars, pandas or Arrow table, a DuckDB relation, a Delta or Iceberg table, "
    "or anything with __arrow_c_stream__"
)


@runtime_checkable
class ArrowStream(Protocol):
    """What the Arrow PyCapsule interface asks of a table or a stream."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


FrameLike: TypeAlias = pl.DataFrame | pl.LazyFrame | ArrowStream


def as_source(value: object) -> LogSource:
    """A log in memory as a source.

    A stream that can be read once only, such as a `pyarrow.RecordBatchReader`, is read into
    memory here.

    Raises:
        InputError: it is no table, or two of its columns have one name.

    >>> as_source(pa.table({"click": [0, 1]})).columns
    ('click',)
    """
    if isinstance(value, LogSource):
        return value
    if isinstance(value, pl.DataFrame):
        return FrameSource(value)
    if isinstance(value, pl.LazyFrame):
        return LazySource(value)
    if isinstance(value, pa.Table):
        return TableSource(value)
    if isinstance(value, pa.RecordBatch):
        return TableSource(pa.Table.from_batches([value]), "record batch")
    if is_pandas(value):
        return PandasSource(value)
    if _is_from("pyarrow.dataset", "Dataset", value):
        return DatasetSource(value)
    if _is_from("duckdb", "DuckDBPyRelation", value):
        from postclick.data.read.tables.duckdb_source import DuckDbSource

        return DuckDbSource(value)
    if _is_from("deltalake", "DeltaTable", value):
        from postclick.data.read.tables.delta import DeltaSource

        return DeltaSource(value)
    if _is_from("pyiceberg.table", "Table", value):
        from postclick.data.read.tables.iceberg import IcebergSource

        return IcebergSource(value)
    if isinstance(value, Mapping):
        raise InputError("a log cannot be a dict: give polars.DataFrame(...) of it")
    if isinstance(value, pl.Series | pa.Array | pa.ChunkedArray):
        raise InputError(f"a log is a table, not a {type(value).__name__}: give all columns")
    if isinstance(value, ArrowStream):
        return _read_stream(value)
    raise InputError(f"a log cannot be a {type(value).__name__}: give {TAKEN}")


def frame_with(value: FrameLike, columns: Collection[str]) -> pl.DataFrame:
    """A table in memory as a polars frame, with those of `columns` that it has at the least.

    >>> frame_with(pa.table({"shop": ["a"], "device": [{"os": "x"}]}), ["device.os"]).columns
    ['device.os']
    """
    if isinstance(value, pl.DataFrame) and not _has_to_change(value):
        return value
    source = with_record_fields(as_source(value))
    have = set(source.columns)
    frames = list(source.frames([name for name in columns if name in have]))
    return pl.concat(frames, how="vertical_relaxed") if frames else pl.DataFrame()


def _has_to_change(frame: pl.DataFrame) -> bool:
    return any(kind == pl.Binary or isinstance(kind, pl.Struct) for kind in frame.dtypes)


def _read_stream(value: ArrowStream) -> LogSource:
    name = type(value).__name__
    try:
        return TableSource(pa.RecordBatchReader.from_stream(value).read_all(), name)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"the {name} cannot be read as an Arrow table: {error}") from None


def _is_from(module: str, kind: str, value: object) -> bool:
    """Whether it is an instance of a class whose module something has imported by now."""
    found = getattr(sys.modules.get(module), kind, None)
    return isinstance(found, type) and isinstance(value, found)
