"""Arrow tables as polars frames, also of types that polars does not take."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from postclick.data.read import chunks
from postclick.data.read.chunks import rechunked
from postclick.errors import InputError

# Extension types whose storage is the value itself.
_AS_STORED = ("arrow.json", "arrow.bool8")


def frame_of(table: pa.Table) -> pl.DataFrame:
    """The table with the same columns; binary columns that hold UTF-8 alone as text.

    Raises:
        InputError: naming a column of a type that stands for no value, text, list or record.

    >>> frame_of(pa.table({"shop": pa.array([b"a", None])}))["shop"].to_list()
    ['a', None]
    """
    columns = [_taken(field, table.column(k)) for k, field in enumerate(table.schema)]
    names = [f"column {k}" for k in range(len(columns))]  # any name, twice or none, is kept
    try:
        frame = pl.from_arrow(pa.table(columns, names=names))
    except (pl.exceptions.PolarsError, ValueError, NotImplementedError) as error:
        kinds = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        raise InputError(f"columns {kinds} cannot be read: {error}") from None
    assert isinstance(frame, pl.DataFrame)
    frame.columns = table.column_names
    return as_text(frame)


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with binary columns as text where all their values are UTF-8.

    Spark and Impala write text so where a setting says it; what is not text stays binary.
    """
    texts = []
    for name, kind in frame.schema.items():
        if kind == pl.Binary:
            with suppress(pl.exceptions.ComputeError):
                texts.append(frame[name].cast(pl.String))
    return frame.with_columns(texts) if texts else frame


def frames_of(tables: Iterable[pa.Table], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The tables' rows in frames of `CHUNK_ROWS`, with just these columns."""
    concat = partial(pa.concat_tables, promote_options="permissive")
    for table in rechunked(iter(tables), chunks.CHUNK_ROWS, concat):
        yield frame_of(table).select(list(columns))


def _taken(field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in a type that polars takes."""
    if not is_readable(field.type):
        raise InputError(
            f"column {field.name!r} holds {field.type}, which is not read: "
            "cast it to text, or to a number, where the log is made"
        )
    kind = column.type
    while isinstance(kind, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        kind = column.type
    if pa.types.is_run_end_encoded(kind):
        column = pa.chunked_array([pc.run_end_decode(c) for c in column.chunks], kind.value_type)
    elif _is_list_view(kind):
        column = column.cast(pa.large_list(kind.value_type))
    elif pa.types.is_decimal256(kind):
        column = column.cast(pa.string())
    elif pa.types.is_dictionary(kind) and not _is_text(kind.value_type):
        column = column.cast(kind.value_type)
    return column


def is_readable(kind: pa.DataType) -> bool:
    """Whether `frame_of` takes columns of this type."""
    if isinstance(kind, pa.BaseExtensionType):
        return kind.extension_name in _AS_STORED
    return not (pa.types.is_union(kind) or pa.types.is_interval(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind))
