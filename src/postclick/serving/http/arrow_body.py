"""An Arrow body to columns: one IPC stream of rows, or the user's row and then the candidates."""

from collections.abc import Sequence
from typing import cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from postclick.serving.http.arrow_frames import look_through, read_batches
from postclick.serving.http.columns import check_all_finite
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
    wanted = frozenset(features)
    layouts, rows = read_batches(last, wanted, limits)
    limits.check_rows(sum(batch.num_rows for batch in rows))
    if not layouts:
        raise no_features(features)
    if not before:
        return Parts(None, _frame(layouts, rows, limits))
    of_user, user = read_batches(before[0], wanted, limits)
    if (sent := sum(batch.num_rows for batch in user)) != 1:
        message = f"the first stream, of the user, has {sent} rows: send 1"
        raise Refusal(422, message, "content")
    check_apart(user[0].schema.names, rows[0].schema.names)
    shared = _frame(of_user, user, limits) if of_user else None
    return Parts(shared, _frame(layouts, rows, limits))


def _frame(layouts: list[str], batches: list[pa.RecordBatch], limits: Limits) -> pl.DataFrame:
    names = batches[0].schema.names
    text, cleaned = 0, []
    for batch in batches:
        columns = batch.columns
        for number, layout in enumerate(layouts):
            if layout == "plain":
                continue
            column = columns[number]
            if layout.startswith("list"):
                # A list names its elements, and polars trusts that name.
                columns[number] = column.cast(pa.large_list(column.type.value_type))
                continue
            if layout == "dictionary":
                # They may name one long text in every row.
                text += _decoded_bytes(column)
                limits.check_text(text)
                # As text: polars would keep the categories of all requests in one table.
                columns[number] = column.dictionary.cast(pa.large_string()).take(column.indices)
        # By names alone, without the metadata of fields, which polars would act upon.
        cleaned.append(pa.RecordBatch.from_arrays(columns, names))
    whole = cleaned[0]
    if len(cleaned) > 1:
        whole = pa.Table.from_batches(cleaned).combine_chunks()
    frame = cast(pl.DataFrame, pl.from_arrow(whole))
    check_all_finite(frame)
    return frame


def _decoded_bytes(column: pa.DictionaryArray) -> int:
    lengths = pc.binary_length(column.dictionary.cast(pa.large_string()))
    return pc.sum(lengths.take(column.indices)).as_py() or 0
