"""Arrow IPC streams that a stranger wrote, looked through before anything reads their buffers.

pyarrow trusts a stream: it allocates what a compressed buffer says it holds, and offsets may point
anywhere. So only plain layouts pass, and the buffers of those are validated.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from postclick.serving.http.body import flatbuffer
from postclick.serving.http.body.arrow_schema import CONTINUATION, FeatureColumns, feature_columns
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.refusal import Refusal

END_OF_STREAM = CONTINUATION + b"\0\0\0\0"
MESSAGES = 64  # beside one per column, for its dictionary
_BATCH, _DICTIONARY, _SCHEMA = "record batch", "dictionary", "schema"
# What pyarrow raises for a damaged stream.
ARROW_ERRORS = (pa.ArrowException, OSError, EOFError, ValueError, struct.error)


class Stream(NamedTuple):
    """One IPC stream, whole and as its messages, the schema first."""

    whole: pa.Buffer
    messages: list[pa.Message]


def checked_streams(body: bytes, limits: Limits) -> list[Stream]:
    """The concatenated streams of a body, each one's messages checked.

    Raises:
        Refusal: no stream or a broken one (400), a compressed one (415), too many messages (413).
    """
    whole = pa.py_buffer(body)
    source, start = pa.BufferReader(whole), 0
    streams: list[Stream] = []
    try:
        while start < whole.size and len(streams) <= 2:
            messages = _checked_messages(source, limits)
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


def _checked_messages(source: pa.BufferReader, limits: Limits) -> list[pa.Message]:
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

    pyarrow does not say.
    """
    data = message.metadata.to_pybytes()
    header = flatbuffer.target(data, flatbuffer.root(data), 2)
    if header is not None and message.type == _DICTIONARY:
        header = flatbuffer.target(data, header, 1)
    return header is not None and flatbuffer.field(data, header, 3) is not None


def read_batches(
    stream: Stream, features: frozenset[str], limits: Limits
) -> tuple[FeatureColumns, list[pa.RecordBatch]]:
    """The feature columns of a stream, fully validated.

    Raises:
        Refusal: it is damaged (400), over a limit (413), or has columns of another type (422).
    """
    try:
        columns = feature_columns(stream.messages[0].metadata.to_pybytes(), features, limits)
        rows, text, batches = 0, 0, []
        for batch in _batches(stream, columns):
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


def _batches(stream: Stream, columns: FeatureColumns) -> Iterator[pa.RecordBatch]:
    """The batches of a stream; its messages are not read a second time without need."""
    batches = stream.messages[1:]
    # It collects dictionaries, and turns the bytes of another machine's numbers round.
    if columns.foreign_byte_order or any(message.type == _DICTIONARY for message in batches):
        yield from pa.ipc.open_stream(stream.whole)
        return
    yield from (pa.ipc.read_record_batch(message, columns.schema) for message in batches)


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


def malformed(why: str) -> Refusal:
    """The body is no Arrow stream that can be read."""
    return Refusal(400, f"the body is no whole Arrow IPC stream: {why}", "malformed")
