"""An Arrow body to columns: one IPC stream of rows, or the user's row and then the candidates."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from postclick.data.lookup.raw_rows import RawRows
from postclick.serving.http.body.arrow_schema import FeatureColumns
from postclick.serving.http.body.arrow_streams import checked_streams, read_batches
from postclick.serving.http.body.column_values import check_all_finite
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.body.user_and_rows import (
    UserAndRows,
    no_features,
    refuse_columns_in_both,
)
from postclick.serving.http.refusal import Refusal


def parse_arrow(body: bytes, features: Sequence[str], limits: Limits) -> UserAndRows:
    """The user and the rows of a request of one or two concatenated Arrow IPC streams.

    Columns that are no feature are left out. Batches of a stream are put together.

    Raises:
        Refusal: it is damaged (400), over a limit (413), compressed (415), or has a column of a
            type or with values that are not read (422).

    >>> import io
    >>> import polars as pl
    >>> body = io.BytesIO()
    >>> pl.DataFrame({"age": [30]}).write_ipc_stream(body)
    >>> pl.DataFrame({"item": ["a", "b"]}).write_ipc_stream(body)
    >>> sent = parse_arrow(body.getvalue(), ["age", "item"], Limits())
    >>> [part.whole().to_dict(as_series=False) for part in (sent.user, sent.rows)]
    [{'age': [30]}, {'item': ['a', 'b']}]
    """
    *before, last = checked_streams(body, limits)
    wanted = frozenset(features)
    columns, batches = read_batches(last, wanted, limits)
    limits.check_rows(sum(batch.num_rows for batch in batches))
    if not columns.used:
        raise no_features(features)
    if not before:
        return UserAndRows(None, _rows(columns, batches, limits))
    of_user, user = read_batches(before[0], wanted, limits)
    if (sent := sum(batch.num_rows for batch in user)) != 1:
        message = f"the first stream, of the user, has {sent} rows: send 1"
        raise Refusal(422, message, "content")
    refuse_columns_in_both(of_user.names, columns.names)
    shared = _rows(of_user, user, limits) if of_user.used else None
    return UserAndRows(shared, _rows(columns, batches, limits))


def _rows(columns: FeatureColumns, batches: list[pa.RecordBatch], limits: Limits) -> RawRows:
    cleaned = batches if columns.bare else _cleaned(columns, batches, limits)
    whole = cleaned[0]
    if len(cleaned) > 1:
        whole = pa.Table.from_batches(cleaned).combine_chunks().to_batches()[0]
    rows = RawRows.of_batch(whole, columns.integers)
    check_all_finite(rows.frame)
    return rows


def _cleaned(
    columns: FeatureColumns, batches: list[pa.RecordBatch], limits: Limits
) -> list[pa.RecordBatch]:
    """The batches as polars may read them."""
    text, cleaned = 0, []
    for batch in batches:
        arrays = batch.columns
        for number, layout in enumerate(columns.layouts):
            if layout == "plain":
                continue
            array = arrays[number]
            if layout.startswith("list"):
                # A list names its elements, and polars trusts that name.
                arrays[number] = array.cast(pa.large_list(array.type.value_type))
                if pa.types.is_fixed_size_list(array.type) and array.null_count:
                    # What stands below a null is none of the values.
                    arrays[number] = arrays[number].take(pa.array(range(len(array))))
                continue
            if layout == "dictionary":
                # They may name one long text in every row.
                text += _decoded_bytes(array)
                limits.check_text(text)
                # As text: polars would keep the categories of all requests in one table.
                arrays[number] = array.dictionary.cast(pa.large_string()).take(array.indices)
        # By names alone, without the metadata of fields, which polars would act upon.
        cleaned.append(pa.RecordBatch.from_arrays(arrays, columns.names))
    return cleaned


def _decoded_bytes(column: pa.DictionaryArray) -> int:
    lengths = pc.binary_length(column.dictionary.cast(pa.large_string()))
    return pc.sum(lengths.take(column.indices)).as_py() or 0
