"""An Arrow body to columns: one IPC stream of rows, or the user's row and then the candidates."""

from collections.abc import Sequence

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from postclick.serving.http.arrow_frames import look_through, read_stream
from postclick.serving.http.columns import check_finite
from postclick.serving.http.limits import Limits
from postclick.serving.http.parts import Parts, check_apart, no_features
from postclick.serving.http.refusal import Refusal


def parse_arrow(body: bytes, features: Sequence[str], limits: Limits) -> Parts:
    """The parts of a request of one or two concatenated Arrow IPC streams.

    Columns that are no feature are left out. Batches of a stream are put together.

    Raises:
        Refusal: it is damaged (400), over a limit (413), compressed (415), or has a column of a
            type or with values that are not read (422).

    >>> import io
    >>> body = io.BytesIO()
    >>> pl.DataFrame({"age": [30]}).write_ipc_stream(body)
    >>> pl.DataFrame({"item": ["a", "b"]}).write_ipc_stream(body)
    >>> parts = parse_arrow(body.getvalue(), ["age", "item"], Limits())
    >>> parts.user.to_dict(as_series=False), parts.rows.to_dict(as_series=False)
    ({'age': [30]}, {'item': ['a', 'b']})
    """
    *before, last = look_through(body, limits)
    rows = read_stream(last, features, limits)
    limits.check_rows(rows.num_rows)
    if rows.num_columns == 0:
        raise no_features(features)
    if not before:
        return Parts(None, _frame(rows, limits))
    user = read_stream(before[0], features, limits)
    if user.num_rows != 1:
        message = f"the first stream, of the user, has {user.num_rows} rows: send 1"
        raise Refusal(422, message, "content")
    check_apart(user.column_names, set(rows.column_names))
    shared = _frame(user, limits) if user.num_columns else None
    return Parts(shared, _frame(rows, limits))


def _frame(table: pa.Table, limits: Limits) -> pl.DataFrame:
    columns, text = {}, 0
    for name, column in zip(table.column_names, table.columns, strict=True):
        # Views and dictionaries may name one long text in every row.
        if pa.types.is_dictionary(column.type):
            text += sum(map(_decoded_bytes, column.chunks))
            _check_text(text, limits)
            # As text: polars would keep the categories of all requests in one table.
            column = _decoded(column)
        elif pa.types.is_string_view(column.type):
            text += int(pl.Series(column).str.len_bytes().sum())
            _check_text(text, limits)
        elif hasattr(column.type, "value_type"):
            # A list names its elements, and polars trusts that name.
            column = column.cast(pa.large_list(column.type.value_type))
        columns[name] = column
    frame = pl.DataFrame(pl.from_arrow(pa.table(columns)))
    for name in frame.columns:
        check_finite(frame[name])
    return frame


def _decoded_bytes(chunk: pa.DictionaryArray) -> int:
    lengths = pc.binary_length(chunk.dictionary.cast(pa.large_string()))
    return pc.sum(lengths.take(chunk.indices)).as_py() or 0


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    chunks = [c.dictionary.cast(pa.large_string()).take(c.indices) for c in column.chunks]
    return pa.chunked_array(chunks, pa.large_string())


def _check_text(size: int, limits: Limits) -> None:
    if size > limits.body_bytes:
        message = f"the text columns hold {size:,} bytes or more when they are spelled out"
        raise Refusal(413, f"{message}: send shorter values", "too_large")
