"""The schema of an Arrow stream that a stranger wrote: which columns it has, and how to read them.

A schema may name one part of itself many times, and pyarrow unfolds it: 65 kB become 508 MiB. So
it is measured before pyarrow reads it.
"""

import struct
import sys
import threading
from typing import NamedTuple

import pyarrow as pa

from postclick.serving.http.body import flatbuffer
from postclick.serving.http.body.limits import MIB, Limits
from postclick.serving.http.refusal import Refusal, quoted

# What a message begins with, before its length.
CONTINUATION = b"\xff\xff\xff\xff"
# Bytes that one schema may unfold to, and up to which it is remembered.
LARGEST, LARGEST_REMEMBERED = MIB, MIB // 4
REMEMBERED = 16
# Bytes that a column takes beside its texts, about.
FIELD_BYTES = 256
_TIMESTAMP, _UNION = 10, 14


class FeatureColumns(NamedTuple):
    """What a schema says of the columns that are features.

    Attributes:
        schema: of the stream, with columns that are no feature.
        used: which columns are features.
        names: of those.
        layouts: the `layout_of` each.
        integers: names of those that int64 can hold.
        bare: whether all are plain, and neither schema nor fields carry metadata.
        foreign_byte_order: whether the bytes of numbers come in the other order than here.
    """

    schema: pa.Schema
    used: list[int]
    names: list[str]
    layouts: list[str]
    integers: list[str]
    bare: bool
    foreign_byte_order: bool


_known: dict[tuple[bytes, frozenset[str], Limits], FeatureColumns] = {}
_changing = threading.Lock()


def feature_columns(content: bytes, features: frozenset[str], limits: Limits) -> FeatureColumns:
    """What a schema message says; clients send the same in each request, and it is remembered.

    Raises:
        Refusal: it is too large (413), or has columns that are not read (422).
    """
    key = content, features, limits
    found = _known.get(key)
    if found is None:
        size = len(content) + _unfolded(content, limits)
        found = _read_columns(content, features, limits)
        if size <= LARGEST_REMEMBERED:
            with _changing:
                if len(_known) >= REMEMBERED:
                    del _known[next(iter(_known))]
                _known[key] = found
    return found


def _read_columns(content: bytes, features: frozenset[str], limits: Limits) -> FeatureColumns:
    message = CONTINUATION + struct.pack("<i", len(content)) + content
    schema = pa.ipc.read_schema(pa.py_buffer(message))
    names, kinds = schema.names, schema.types
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Refusal(422, f"column {quoted(twice)} is there twice: send it once", "content")
    # What is no feature is never looked at.
    used = [number for number, name in enumerate(names) if name in features]
    layouts = [_layout(names[number], kinds[number]) for number in used]
    integers = [names[number] for number in used if _is_integer(kinds[number])]
    told = schema.metadata or any(schema.field(number).metadata for number in used)
    bare = not told and all(layout == "plain" for layout in layouts)
    chosen = [names[number] for number in used]
    return FeatureColumns(
        schema, used, chosen, layouts, integers, bare, _has_foreign_byte_order(content)
    )


def _has_foreign_byte_order(content: bytes) -> bool:
    header = flatbuffer.target(content, flatbuffer.root(content), 2)
    at = None if header is None else flatbuffer.field(content, header, 0)
    is_big = at is not None and struct.unpack_from("<h", content, at)[0] != 0
    return is_big != (sys.byteorder == "big")


def _unfolded(content: bytes, limits: Limits) -> int:
    """About how many bytes pyarrow makes of a schema.

    Raises:
        Refusal: they are more than `LARGEST`, or there are too many columns (413).
    """
    schema = flatbuffer.target(content, flatbuffer.root(content), 2)
    if schema is None:
        return 0
    limits.check_columns(flatbuffer.length(content, schema, 1))
    total = 0
    waiting = [schema]
    while waiting:
        table = waiting.pop()
        is_schema = table == schema
        total += FIELD_BYTES
        for pair in flatbuffer.tables(content, table, 2 if is_schema else 6):
            total += FIELD_BYTES + sum(flatbuffer.length(content, pair, k) for k in (0, 1))
            _check_size(total)
        if not is_schema:
            total += flatbuffer.length(content, table, 0) + _type_bytes(content, table)
        _check_size(total)
        for child in flatbuffer.tables(content, table, 1 if is_schema else 5):
            waiting.append(child)
            _check_size(total + FIELD_BYTES * len(waiting))
    return total


def _type_bytes(content: bytes, column: int) -> int:
    """Of what some types have: the name of a time zone, a list of numbers."""
    at, kind = flatbuffer.field(content, column, 2), flatbuffer.target(content, column, 3)
    if at is None or kind is None or content[at] not in (_TIMESTAMP, _UNION):
        return 0
    return flatbuffer.length(content, kind, 1) * (4 if content[at] == _UNION else 1)


def _check_size(size: int) -> None:
    if size > LARGEST:
        message = f"the schema unfolds to more than {LARGEST:,} bytes: send the columns alone"
        raise Refusal(413, message, "too_large")


def arrow_layout(kind: pa.DataType) -> str | None:
    """How a column of a type has to be read; None if it is not."""
    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind):
        if types.is_string_view(kind.value_type):
            return "list of views"
        return "list" if _is_plain(kind.value_type) else None
    if types.is_fixed_size_list(kind):
        # Of no elements it would take no space, and could be of any length.
        return "list" if kind.list_size and _is_number(kind.value_type) else None
    if types.is_dictionary(kind):
        return "dictionary" if _is_text(kind.value_type) else None
    if types.is_string_view(kind):
        return "view"
    # Nulls take no space, so that a list of them could be of any length.
    return "plain" if _is_plain(kind) or types.is_null(kind) else None


def _layout(name: str, kind: pa.DataType) -> str:
    layout = arrow_layout(kind)
    if layout is not None:
        return layout
    shown = quoted(str(kind)).strip("'")
    raise Refusal(
        422,
        f"column {quoted(name)} is of type {shown}: send text, integers, float32, float64, "
        "booleans, a dictionary of text, a list of one of the first four, or a list of a fixed "
        "number of integers or floats",
        "content",
    )


def _is_plain(kind: pa.DataType) -> bool:
    return bool(_is_number(kind) or pa.types.is_boolean(kind) or _is_text(kind))


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_float32(kind) or types.is_float64(kind) or types.is_integer(kind))


def _is_integer(kind: pa.DataType) -> bool:
    """Whether int64 holds all of the type."""
    return bool(pa.types.is_integer(kind) and not pa.types.is_uint64(kind))


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))
