"""Arrow IPC streams that a stranger wrote, looked through before anything reads their buffers.

pyarrow trusts a stream: it allocates what a compressed buffer says it holds, and offsets may point
anywhere. So only plain layouts pass, and the buffers of those are validated.
"""

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from postclick.serving.http.limits import Limits
from postclick.serving.http.refusal import Refusal, quoted

# What a message begins with, before its length.
_MESSAGE = b"\xff\xff\xff\xff"
END_OF_STREAM = _MESSAGE + b"\0\0\0\0"
MESSAGES = 64  # beside one per column, for its dictionary
LONGEST_REMEMBERED = 1 << 16  # bytes of a schema
_BATCH, _DICTIONARY, _SCHEMA = "record batch", "dictionary", "schema"
# What pyarrow raises for a damaged stream.
ARROW_ERRORS = (pa.ArrowException, OSError, EOFError, ValueError, struct.error)


class Stream(NamedTuple):
    """One IPC stream, whole and as its messages, the schema first."""

    whole: pa.Buffer
    messages: list[pa.Message]


class Columns(NamedTuple):
    """What a schema says of the columns that are features.

    Attributes:
        schema: of the stream, with columns that are no feature.
        used: which columns are features.
        names: of those.
        layouts: the `layout_of` each.
        integers: names of those that int64 can hold.
        bare: whether all are plain, and neither schema nor fields carry metadata.
    """

    schema: pa.Schema
    used: list[int]
    names: list[str]
    layouts: list[str]
    integers: list[str]
    bare: bool


def look_through(body: bytes, limits: Limits) -> list[Stream]:
    """The concatenated streams of a body, each one's messages checked.

    Raises:
        Refusal: no stream or a broken one (400), a compressed one (415), too many messages (413).
    """
    whole = pa.py_buffer(body)
    source, start = pa.BufferReader(whole), 0
    streams: list[Stream] = []
    try:
        while start < whole.size and len(streams) <= 2:
            messages = _look_through_one(source, limits)
            end = source.tell()
            if body[end - len(END_OF_STREAM) : end] != END_OF_STREAM:
                raise malformed("it breaks off before its end-of-stream mark")
            streams.append(Stream(whole.slice(start, end - start), messages))
            start = end
    except ARROW_ERRORS as error:
        raise malformed(str(error)) from None
    if not 1 <= len(streams) <= 2:
        raise malformed(
            "send the candidates as one stream, or the user's row and the candidates as two"
        )
    return streams


def _look_through_one(source: pa.BufferReader, limits: Limits) -> list[pa.Message]:
    messages = []
    for number, message in enumerate(pa.ipc.MessageReader.open_stream(source)):
        kind = message.type
        if (kind == _SCHEMA) != (number == 0):
            raise malformed(f"its message {number} is a {kind}")
        if kind not in (_SCHEMA, _BATCH, _DICTIONARY):
            raise malformed(f"it holds a {kind}")
        if number > MESSAGES + limits.columns:
            raise Refusal(413, "the stream is cut into too many batches: send one", "too_large")
        if kind != _SCHEMA and _is_compressed(message):
            raise Refusal(415, "the stream is compressed: write it plain", "media_type")
        messages.append(message)
    if not messages:
        raise malformed("it has no schema")
    return messages


def _is_compressed(message: pa.Message) -> bool:
    """Whether the buffers of a record batch or dictionary are compressed.

    pyarrow does not say. The positions are those of Message.fbs in the Arrow format.
    """
    data = message.metadata.to_pybytes()
    header = _table(data, struct.unpack_from("<I", data)[0], field=2)
    if header is not None and message.type == _DICTIONARY:
        header = _table(data, header, field=1)
    return header is not None and _field(data, header, number=3) is not None


def _table(data: bytes, table: int, field: int) -> int | None:
    """Position of the table that a field of a flatbuffers table refers to."""
    at = _field(data, table, field)
    return None if at is None else at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytes, table: int, number: int) -> int | None:
    """Position of a field's value; None if the table leaves it out."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", data, vtable)[0]:
        return None
    offset = struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0]
    return table + offset if offset else None


def read_batches(
    stream: Stream, features: frozenset[str], limits: Limits
) -> tuple[Columns, list[pa.RecordBatch]]:
    """The feature columns of a stream, fully validated.

    Raises:
        Refusal: it is damaged (400), over a limit (413), or has columns of another type (422).
    """
    try:
        columns = _columns_of(stream.messages[0], features, limits)
        rows, text, batches = 0, 0, []
        for batch in _batches(stream, columns.schema):
            rows += batch.num_rows
            if rows > limits.candidates:
                limits.check_rows(rows)
            kept = batch if len(columns.used) == batch.num_columns else batch.select(columns.used)
            kept.validate()
            if not columns.bare:
                # Before the full validation, which reads every text as often as a view names it.
                text += sum(map(text_bytes, kept.columns, columns.layouts))
                limits.check_text(text)
            kept.validate(full=True)
            batches.append(kept)
        return columns, batches
    except ARROW_ERRORS as error:
        raise malformed(str(error)) from None


def _batches(stream: Stream, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The batches of a stream; its messages are not read a second time without need."""
    batches = stream.messages[1:]
    if any(message.type == _DICTIONARY for message in batches):
        yield from pa.ipc.open_stream(stream.whole)
        return
    yield from (pa.ipc.read_record_batch(message, schema) for message in batches)


def _columns_of(message: pa.Message, features: frozenset[str], limits: Limits) -> Columns:
    """Clients send the same schema in each request: the last few are remembered."""
    content = message.metadata.to_pybytes()
    if len(content) > LONGEST_REMEMBERED:
        return _read_columns(content, features, limits)
    return _remembered_columns(content, features, limits)


def _read_columns(content: bytes, features: frozenset[str], limits: Limits) -> Columns:
    schema = pa.ipc.read_schema(pa.py_buffer(_MESSAGE + struct.pack("<i", len(content)) + content))
    names, kinds = schema.names, schema.types
    limits.check_columns(len(names))
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Refusal(422, f"column {quoted(twice)} is there twice: send it once", "content")
    # What is no feature is never looked at.
    used = [number for number, name in enumerate(names) if name in features]
    layouts = [_layout(names[number], kinds[number]) for number in used]
    integers = [names[number] for number in used if _is_integer(kinds[number])]
    told = schema.metadata or any(schema.field(number).metadata for number in used)
    bare = not told and all(layout == "plain" for layout in layouts)
    return Columns(schema, used, [names[number] for number in used], layouts, integers, bare)


_remembered_columns = lru_cache(maxsize=64)(_read_columns)


def text_bytes(column: pa.Array, layout: str) -> int:
    """Bytes of the texts that views name, each as often as it is named; 0 of other layouts."""
    if layout == "list of views":
        column = column.values
    elif layout != "view":
        return 0
    # A view is 16 bytes, and its length comes first.
    end = column.offset + len(column)
    views = np.frombuffer(column.buffers()[1] or b"", dtype=np.int32, count=4 * end)
    lengths = views[4 * column.offset :: 4]
    if column.null_count:
        lengths = lengths[column.is_valid().to_numpy(zero_copy_only=False)]
    if (lengths < 0).any():
        raise malformed("a text has a negative length")
    return int(lengths.sum(dtype=np.int64))


@lru_cache(maxsize=256)
def layout_of(kind: pa.DataType) -> str | None:
    """How a column of a type has to be read; None if it is not."""
    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind):
        if types.is_string_view(kind.value_type):
            return "list of views"
        return "list" if _is_plain(kind.value_type) else None
    if types.is_dictionary(kind):
        return "dictionary" if _is_text(kind.value_type) else None
    if types.is_string_view(kind):
        return "view"
    # Nulls take no space, so that a list of them could be of any length.
    return "plain" if _is_plain(kind) or types.is_null(kind) else None


def _layout(name: str, kind: pa.DataType) -> str:
    layout = layout_of(kind)
    if layout is not None:
        return layout
    shown = quoted(str(kind)).strip("'")
    raise Refusal(
        422,
        f"column {quoted(name)} is of type {shown}: send text, integers, float32, float64, "
        "booleans, a dictionary of text, or a list of one of the first four",
        "content",
    )


def _is_plain(kind: pa.DataType) -> bool:
    types = pa.types
    wide = types.is_float32(kind) or types.is_float64(kind)
    return bool(wide or types.is_integer(kind) or types.is_boolean(kind) or _is_text(kind))


def _is_integer(kind: pa.DataType) -> bool:
    """Whether int64 holds all of the type."""
    return bool(pa.types.is_integer(kind) and not pa.types.is_uint64(kind))


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def malformed(why: str) -> Refusal:
    """The body is no Arrow stream that can be read."""
    return Refusal(400, f"the body is no whole Arrow IPC stream: {why}", "malformed")
