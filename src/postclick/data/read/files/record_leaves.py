"""Which values lie in the record columns of a schema."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl
import pyarrow as pa

# Struct columns, each with the paths of the values in it: ("os",), ("geo", "city").
Leaves = Mapping[str, Sequence[tuple[str, ...]]]


def leaves_of(schema: pa.Schema) -> Leaves:
    """The struct columns of an Arrow schema that have fields.

    >>> leaves_of(pa.schema({"a": pa.int64(), "device": pa.struct({"os": pa.string()})}))
    {'device': [('os',)]}
    """
    found = {field.name: list(_paths(field.type)) for field in schema}
    return {name: paths for name, paths in found.items() if paths}


def leaves_in(schema: pl.Schema) -> Leaves:
    """The struct columns of a polars schema, whose other columns Arrow may not have types for.

    >>> leaves_in(pl.Schema({"a": pl.Int128, "device": pl.Struct({"os": pl.String})}))
    {'device': [('os',)]}
    """
    found = {name: list(_paths_in(kind)) for name, kind in schema.items()}
    return {name: paths for name, paths in found.items() if paths}


def _paths_in(kind: object) -> Iterator[tuple[str, ...]]:
    if isinstance(kind, pl.Struct):
        for field in kind.fields:
            yield from ((field.name, *rest) for rest in list(_paths_in(field.dtype)) or [()])


def _paths(kind: pa.DataType) -> Iterator[tuple[str, ...]]:
    if pa.types.is_struct(kind):
        for field in kind:
            yield from ((field.name, *rest) for rest in list(_paths(field.type)) or [()])
