"""JSON bodies: both shapes of rows, types of columns, and every kind of nonsense."""

import json
from typing import Any

import polars as pl
import pytest

from postclick.serving.http.body.json_body import parse_json
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.body.user_and_rows import UserAndRows
from postclick.serving.http.refusal import Refusal

FEATURES = ("age", "item", "price", "history")
LIMITS = Limits(candidates=3, columns=6)


def parse(sent: Any) -> UserAndRows:
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    return parse_json(body, FEATURES, LIMITS)


def test_objects_and_columns_are_the_same_rows() -> None:
    records = [
        {"item": "a", "price": 1, "history": ["x", "y"], "note": 3},
        {"item": "b", "price": 2.5, "history": [], "note": 4},
        {"item": None, "price": None, "history": None, "note": 5},
    ]
    columns = {name: [row[name] for row in records] for name in records[0]}
    by_row = parse({"user": {"age": 7}, "candidates": records})
    by_column = parse({"user": {"age": 7}, "candidates": columns})
    rows = by_row.rows.whole()
    assert rows.equals(by_column.rows.whole())
    assert by_row.user is not None and by_row.user.whole().equals(pl.DataFrame({"age": [7]}))
    assert rows.schema == {
        "item": pl.String,
        "price": pl.Float64,
        "history": pl.List(pl.String),
    }
    assert rows["price"].to_list() == [1.0, 2.5, None]
    assert rows["history"].to_list()[:2] == [["x", "y"], []]


@pytest.mark.parametrize("word", ["rows", "candidates"])
def test_rows_without_a_user_part(word: str) -> None:
    parts = parse({word: [{"age": 1, "item": "a"}]})
    assert parts.user is None
    assert parts.rows.whole().to_dicts() == [{"age": 1, "item": "a"}]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], pl.Int64),
        ([-1, None], pl.Int64),
        ([2**63, 2**64 - 1], pl.UInt64),
        ([1, 2.0], pl.Float64),
        ([2**1000, 2.0], pl.Float64),
        ([1e308, 1e308], pl.Float64),
        (["a", None], pl.String),
        ([True, None], pl.Boolean),
        ([None, None], pl.Null),
        ([[1], [2, 3]], pl.List(pl.Int64)),
        ([[1, 2.5], None], pl.List(pl.Float64)),
        ([[], None], pl.List(pl.String)),
        ([["a", None], []], pl.List(pl.String)),
    ],
)
def test_a_column_has_one_type(values: list[Any], dtype: pl.DataType) -> None:
    column = parse({"rows": {"item": values}}).rows.column("item")
    assert column.dtype == dtype
    expected = [[] if v is None and dtype.is_nested() else v for v in values]
    assert column.to_list() == expected


def test_a_user_part_without_features_is_none() -> None:
    assert parse({"user": {"zodiac": "lion"}, "candidates": [{"item": 1}]}).user is None


REFUSED: dict[str, tuple[Any, int, str]] = {
    "empty": (b"", 400, "no JSON"),
    "cut": (b'{"rows": [{"item": 1}', 400, "no JSON"),
    "not text": (b"\xff\xfe", 400, "no JSON"),
    "trailing": (b'{"rows": [{"item": 1}]} x', 400, "no JSON"),
    "NaN": (b'{"rows": [{"price": NaN}]}', 400, "no JSON"),
    "infinity": (b'{"rows": [{"price": -Infinity}]}', 400, "no JSON"),
    "nested arrays": (b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "recursion"),
    "nested objects": (b'{"a":' * 100_000, 400, "recursion"),
    "endless integer": (b'{"rows": [{"item": ' + b"9" * 9_999 + b"}]}", 400, "no JSON"),
    "lone surrogate": (b'{"rows": [{"item": "\\ud800"}]}', 400, "no JSON"),
    "a list": ([1], 422, "neither or both"),
    "null": (None, 422, "neither or both"),
    "nothing": ({}, 422, "neither or both"),
    "both": ({"rows": [], "candidates": []}, 422, "neither or both"),
    "another part": ({"rows": [{"item": 1}], "context": {}}, 422, "a part 'context'"),
    "user with rows": ({"user": {"age": 1}, "rows": [{"item": 1}]}, 422, "goes with candidates"),
    "user is a list": ({"user": [1], "candidates": [{"item": 1}]}, 422, "user is not an object"),
    "rows is text": ({"rows": "abc"}, 422, "neither a list nor an object"),
    "rows is null": ({"rows": None}, 422, "neither a list nor an object"),
    "no rows": ({"rows": []}, 422, "no candidates"),
    "no columns": ({"rows": {}}, 422, "no candidates"),
    "empty columns": ({"rows": {"item": []}}, 422, "no candidates"),
    "many rows": ({"rows": [{"item": 1}] * 4}, 413, "4 candidates are more than 3"),
    "many in columns": ({"rows": {"item": [1] * 4}}, 413, "4 candidates are more than 3"),
    "many columns": ({"rows": [{str(k): 1 for k in range(7)}]}, 413, "7 columns are more than 6"),
    "wide columns": ({"rows": {str(k): [1] for k in range(7)}}, 413, "7 columns"),
    "wide user": (
        {"user": {str(k): 1 for k in range(7)}, "candidates": [{"item": 1}]},
        413,
        "7 columns",
    ),
    "a row is text": ({"rows": [{"item": 1}, "x"]}, 422, "candidate 1 is not an object"),
    "ragged": ({"rows": {"item": [1, 2], "price": [1]}}, 422, "1 to 2 values"),
    "not a list": ({"rows": {"item": 1}}, 422, "'item' is not a list"),
    "absent": ({"rows": [{"item": 1}, {"price": 2}]}, 422, "candidate 1 has no 'item'"),
    "absent at first": ({"rows": [{"price": 1}, {"item": 2}]}, 422, "candidate 0 has no 'item'"),
    "twice": ({"user": {"item": 1}, "candidates": [{"item": 2}]}, 422, "both the user part"),
    "useless": ({"rows": [{"zodiac": 1}]}, 422, "it needs age, item"),
    "all by user": (
        {"user": {"item": 1}, "candidates": [{}, {}]},
        422,
        "no column that the bundle",
    ),
    "mixed": ({"rows": {"item": [1, "a"]}}, 422, "mixes integers and text"),
    "truth and number": ({"rows": {"item": [True, 1]}}, 422, "mixes integers and true/false"),
    "objects": ({"rows": [{"item": {"id": 1}}]}, 422, "nested"),
    "nested lists": ({"rows": [{"history": [[1]]}]}, 422, "nested"),
    "list and value": ({"rows": {"history": [[1], 2]}}, 422, "mixes lists"),
    "mixed list": ({"rows": [{"history": [1, "a"]}]}, 422, "mixes integers and text"),
    "65 bits": ({"rows": [{"item": 2**64}]}, 422, "64 bits"),
    "-64 bits": ({"rows": [{"item": -(2**63) - 1}]}, 422, "64 bits"),
    "signs of 64 bits": ({"rows": {"item": [-1, 2**63]}}, 422, "64 bits"),
    "too large a number": ({"rows": {"price": [2**2000, 0.5]}}, 422, "too large"),
    "rounded to infinity": (b'{"rows": [{"price": 1e999}]}', 422, "'price' has inf (row 0)"),
    "infinity in a list": (b'{"rows": [{"history": [1.5, 1e999]}]}', 422, "'history' has inf"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nonsense_is_refused_in_one_line(case: str) -> None:
    sent, status, words = REFUSED[case]
    with pytest.raises(Refusal) as caught:
        parse(sent)
    assert caught.value.status == status
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_a_long_name_is_not_sent_back() -> None:
    with pytest.raises(Refusal) as caught:
        parse({"rows": {"x" * 10_000: 3}})
    assert len(caught.value.message) < 200


def test_a_column_in_both_parts_of_any_candidate_is_refused() -> None:
    for rows in ([{"item": 1}, {"item": 2, "age": 9}], [{"item": 1, "age": 9}, {"item": 2}]):
        with pytest.raises(Refusal, match="'age' is in both the user part and the candidates"):
            parse({"user": {"age": 7}, "candidates": rows})
