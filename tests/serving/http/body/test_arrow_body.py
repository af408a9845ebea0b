"""Arrow bodies: what polars and pyarrow write is read; what is broken or hostile is refused."""

import datetime
import io
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from postclick.serving.http.body.arrow_body import parse_arrow
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.refusal import Refusal

FEATURES = ("age", "item", "price", "history")
LIMITS = Limits(candidates=50, columns=6, body_bytes=100_000)
ROWS = pl.DataFrame(
    {
        "item": ["a", None, "c" * 40],
        "price": pl.Series([1.5, None, 3.0], dtype=pl.Float32),
        "history": [["x"], [], None],
        "note": [datetime.time(3), None, None],
    }
)


def polars_stream(*frames: pl.DataFrame, **options: Any) -> bytes:
    sink = io.BytesIO()
    for frame in frames:
        frame.write_ipc_stream(sink, **options)
    return sink.getvalue()


def arrow_stream(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as out:
        out.write_table(table)
    return sink.getvalue()


def column(values: Any, kind: pa.DataType | None = None) -> bytes:
    return arrow_stream(pa.table({"item": pa.array(values, kind)}))


def refused(body: bytes, limits: Limits = LIMITS) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_arrow(body, FEATURES, limits)
    assert "\n" not in caught.value.message
    return caught.value


def test_what_polars_writes_is_read() -> None:
    parts = parse_arrow(polars_stream(ROWS), FEATURES, LIMITS)
    assert parts.user is None
    assert parts.rows.whole().equals(ROWS.drop("note"))
    assert parts.rows.whole().schema == ROWS.drop("note").schema


def test_two_streams_are_the_user_and_the_candidates() -> None:
    user = pl.DataFrame({"age": [30], "zodiac": ["lion"]})
    parts = parse_arrow(polars_stream(user, ROWS), FEATURES, LIMITS)
    assert parts.user is not None and parts.user.whole().to_dicts() == [{"age": 30}]
    assert parts.rows.whole().equals(ROWS.drop("note"))


def test_batches_are_put_together() -> None:
    table = pa.concat_tables([pa.table({"item": [k]}) for k in range(5)])
    parts = parse_arrow(arrow_stream(table), FEATURES, LIMITS)
    assert parts.rows.column("item").to_list() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_every_layout_of_text(kind: pa.DataType) -> None:
    parts = parse_arrow(column(["a", None, "b" * 30], kind), FEATURES, LIMITS)
    assert parts.rows.column("item").to_list() == ["a", None, "b" * 30]


def test_dictionaries_become_text() -> None:
    table = pa.table({"item": pa.array(["a", None, "b", "a"]).dictionary_encode()})
    parts = parse_arrow(arrow_stream(pa.concat_tables([table, table])), FEATURES, LIMITS)
    assert parts.rows.column("item").dtype == pl.String
    assert parts.rows.column("item").to_list() == ["a", None, "b", "a"] * 2
    categorical = pl.DataFrame({"item": ["a", "b", "a"]}, schema={"item": pl.Categorical})
    parts = parse_arrow(polars_stream(categorical), FEATURES, LIMITS)
    assert parts.rows.column("item").to_list() == ["a", "b", "a"]


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float32(), pa.null()])
def test_numbers_and_nulls(kind: pa.DataType) -> None:
    values = [None, None] if pa.types.is_null(kind) else [1, None]
    assert (
        parse_arrow(column(values, kind), FEATURES, LIMITS).rows.column("item").to_list() == values
    )


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([datetime.date(2026, 1, 1)], pa.date32()),
        ([b"raw"], pa.binary()),
        ([{"id": 1}], pa.struct({"id": pa.int64()})),
        ([[[1]]], pa.list_(pa.list_(pa.int64()))),
        ([[None]], pa.list_(pa.null())),
        ([["a", "b"]], pa.list_(pa.string(), 2)),
        ([[]], pa.list_(pa.int64(), 0)),
        ([1], pa.float16()),
        ([1], pa.decimal128(5)),
        ([5], pa.dictionary(pa.int8(), pa.int64())),
        ([[1]], pa.list_view(pa.int64())),
    ],
)
def test_other_types_are_refused(values: Any, kind: pa.DataType) -> None:
    error = refused(column(values, kind))
    assert error.status == 422 and "column 'item' is of type" in error.message


def test_a_bomb_in_a_dictionary_is_refused() -> None:
    """40 rows that name one text of 50 kB."""
    table = pa.table({"item": pa.array(["x" * 50_000] * 40).dictionary_encode()})
    body = arrow_stream(table)
    assert len(body) < LIMITS.body_bytes
    assert refused(body).status == 413


def test_a_bomb_of_views_is_refused() -> None:
    text = pa.array(["x" * 50_000]).cast(pa.string_view())
    view, data = text.buffers()[1:]
    many = pa.py_buffer(view.to_pybytes() * 40)
    array = pa.Array.from_buffers(pa.string_view(), 40, [None, many, data])
    body = arrow_stream(pa.table({"item": array}))
    assert len(body) < LIMITS.body_bytes
    assert refused(body).status == 413


def test_a_bomb_of_views_in_lists_is_refused() -> None:
    texts = pa.array(["x" * 5_000] * 200, pa.string_view())
    lists = pa.ListArray.from_arrays(pa.array([0, 100, 200], pa.int32()), texts)
    body = arrow_stream(pa.table({"item": ["a", "b"], "history": lists}))
    assert refused(body).status == 413
    few = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), texts[:2])
    body = arrow_stream(pa.table({"item": ["a", "b"], "history": few}))
    assert parse_arrow(body, FEATURES, LIMITS).rows.column("history").list.len().to_list() == [1, 1]


def test_a_missing_view_hides_no_bomb() -> None:
    """The length in a row that is null may be any number, as one below zero."""
    text = pa.array(["x" * 50_000]).cast(pa.string_view())
    view, data = text.buffers()[1:]
    hidden = np.array([-(2**31), 0, 0, 0], dtype=np.int32).tobytes()
    views = pa.py_buffer(view.to_pybytes() * 40 + hidden)
    valid = pa.py_buffer(b"\xff" * 5 + b"\0")
    array = pa.Array.from_buffers(pa.string_view(), 41, [valid, views, data])
    assert refused(arrow_stream(pa.table({"item": array}))).status == 413


def test_offsets_that_point_elsewhere_are_refused() -> None:
    offsets = np.array([0, 2**30, 3], dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"abc")]
    array = pa.Array.from_buffers(pa.string(), 2, buffers)
    assert refused(arrow_stream(pa.table({"item": array}))).status == 400


def test_text_that_is_not_utf8_is_refused() -> None:
    offsets = pa.py_buffer(np.array([0, 2], dtype=np.int32))
    array = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff\xfe")])
    assert refused(arrow_stream(pa.table({"item": array}))).status == 400


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    error = refused(polars_stream(pl.DataFrame({"price": [1.0, value]})))
    assert error.status == 422 and "'price' has" in error.message and "row 1" in error.message
    assert refused(polars_stream(pl.DataFrame({"history": [[value]]}))).status == 422


def test_large_numbers_are_finite() -> None:
    parts = parse_arrow(polars_stream(pl.DataFrame({"price": [1.7e308] * 3})), FEATURES, LIMITS)
    assert parts.rows.column("price").to_list() == [1.7e308] * 3


ONE = polars_stream(pl.DataFrame({"item": [1]}))
REFUSED = {
    "nothing": (b"", 400),
    "text": (b"hello, this is no stream at all", 400),
    "three streams": (ONE * 3, 400),
    "a file": (pl.DataFrame({"item": [1]}).write_ipc(None).getvalue(), 400),
    "end marks alone": (b"\xff\xff\xff\xff\0\0\0\0" * 2, 400),
    "trailing bytes": (ONE + b"more", 400),
    "no end mark": (ONE[:-8], 400),
    "cut": (ONE[: len(ONE) // 2], 400),
    "no rows": (polars_stream(pl.DataFrame({"item": []}, schema={"item": pl.Int64})), 422),
    "many rows": (polars_stream(pl.DataFrame({"item": range(51)})), 413),
    "many columns": (polars_stream(pl.DataFrame({str(k): [1] for k in range(7)})), 413),
    "no feature": (polars_stream(pl.DataFrame({"zodiac": [1]})), 422),
    "a column twice": (arrow_stream(pa.table([[1], [2]], names=["item", "item"])), 422),
    "no user": (polars_stream(pl.DataFrame({"age": []}, schema={"age": pl.Int64})) + ONE, 422),
    "two users": (polars_stream(pl.DataFrame({"age": [1, 2]})) + ONE, 422),
    "a column in both": (ONE + ONE, 422),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_asked_for_is_refused(case: str) -> None:
    body, status = REFUSED[case]
    assert refused(body).status == status
