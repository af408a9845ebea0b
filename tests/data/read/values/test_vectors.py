"""Vectors of every type and spelling become the same lists; what is wrong is counted."""

import datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from postclick.data.read.values.lists import flatten
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.read.values.vectors import GAPS, TEXT, matrix_of, to_vector
from postclick.data.schema import Vector
from postclick.errors import InputError

SIZE = 3
VALUES = [[0.5, -2.0, 3.0], [1e-3, 0.0, 7.25], None, [4.0, 5.0, 6.0]]
TEXTS = ["0.5|-2|3", "0.001| 0 |7.25", None, "4|5|6.0"]


def role(**settings: object) -> Vector:
    return Vector.model_validate({"name": "e", "size": SIZE, **settings})


def counts(found: list[tuple[str, str, object]]) -> dict[str, int]:
    return {kind: bad.rows for kind, name, bad in found if bad.rows and name == "e"}  # type: ignore[attr-defined]


PLAIN = role()
SPELLINGS = {
    "list": (pl.Series("e", VALUES), PLAIN),
    "array": (pl.Series("e", VALUES, dtype=pl.Array(pl.Float64, SIZE)), PLAIN),
    "list of text": (pl.Series("e", [v and [f" {x}" for x in v] for v in VALUES]), PLAIN),
    "bars": (pl.Series("e", TEXTS), role(separator="|")),
    "category": (pl.Series("e", TEXTS, dtype=pl.Categorical), role(separator="|")),
    "json": (pl.Series("e", [v and str(v) for v in VALUES]), role(brackets=True)),
    "numpy": (
        pl.Series("e", [None if v is None else f"[ {v[0]}   {v[1]}\n {v[2]}]" for v in VALUES]),
        role(brackets=True, separator=" "),
    ),
    "blank": (
        pl.Series("e", ["NA" if t is None else f" {t}" for t in TEXTS]),
        role(separator="|"),
    ),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_the_same_vector(spelling: str) -> None:
    column, settings = SPELLINGS[spelling]
    vector, found = to_vector(column, settings)
    assert vector.dtype == pl.List(pl.Float64)
    assert vector.to_list() == VALUES
    assert counts(found) == {}


@pytest.mark.parametrize("inner", [pl.Float32, pl.Int16, pl.UInt64, pl.Decimal(10, 2)])
def test_any_type_of_number(inner: pl.DataType) -> None:
    column = pl.Series("e", [[1, 2, 3], [4, 5, 6]]).cast(pl.List(inner))
    assert to_vector(column, PLAIN)[0].to_list() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def test_what_is_missing_what_is_wrong_and_how_often() -> None:
    rows = [[], [1.0, 2.0], [1.0], [2.0], [1.0, None, 3.0], [np.nan, np.inf, 0.0], None]
    vector, found = to_vector(pl.Series("e", rows, dtype=pl.List(pl.Float64)), PLAIN)
    assert counts(found) == {"vector-length:1": 2, "vector-length:2": 1, GAPS: 2}
    assert vector.is_null().to_list() == [True, True, True, True, False, False, True]
    matrix = matrix_of(vector, SIZE)
    assert np.isnan(matrix).sum() == 5 * SIZE + 3
    assert matrix[4, [0, 2]].tolist() == [1.0, 3.0]


def test_text_that_is_no_vector() -> None:
    column = pl.Series("e", ["[1, 2, 3]", "1, 2, 3", "[1, two, 3]", "[]", "[1, , 3]", "[1, NA, 3]"])
    vector, found = to_vector(column, role(brackets=True))
    assert vector.is_null().to_list() == [False, True, False, True, False, False]
    assert counts(found) == {TEXT: 1, GAPS: 3}  # of the last kind named, elements
    texts = [bad for kind, _, bad in found if kind == TEXT and bad.rows]
    assert [(bad.rows, bad.examples) for bad in texts] == [
        (1, ("'1, 2, 3'",)),
        (1, ("' two'",)),
    ]


def test_what_stands_below_a_null_is_no_value() -> None:
    """Arrow allows it, and other writers leave it there."""
    mask = pa.array([False, True, False])
    lists = pa.FixedSizeListArray.from_arrays(pa.array([1.0, 2, 3, 9, 9, 9, 4, 5, 6]), 3, mask=mask)
    for array in (lists, lists.cast(pa.large_list(pa.float64()))):
        column = pl.from_arrow(array)
        assert isinstance(column, pl.Series)
        vector, found = to_vector(column.alias("e"), PLAIN)
        assert vector.to_list() == [[1.0, 2.0, 3.0], None, [4.0, 5.0, 6.0]]
        assert counts(found) == {}
    listed = pl.from_arrow(lists.cast(pa.large_list(pa.float64())))
    assert isinstance(listed, pl.Series)
    values, offsets = flatten(listed)
    assert values.to_list() == [1, 2, 3, 4, 5, 6]
    assert offsets.tolist() == [0, 3, 3, 6]


@pytest.mark.parametrize("rows", [0, 2])
def test_nothing_and_nothing_but_missing(rows: int) -> None:
    for kind in (pl.Null, pl.List(pl.Float64), pl.String):
        column = pl.Series("e", [None] * rows, dtype=kind)
        vector, found = to_vector(column, role(separator=","))
        assert vector.dtype == pl.List(pl.Float64)
        assert vector.null_count() == rows == len(vector)
        assert counts(found) == {}


@pytest.mark.parametrize(
    ("column", "mend"),
    [
        (pl.Series("e", ["1,2,3"]), "name the separator that splits it, or set brackets: true"),
        (pl.Series("e", [1.5]), "holds Float64, not lists of numbers"),
        (pl.Series("e", [b"123"]), "holds Binary, not lists of numbers"),
        (pl.Series("e", [[[1.0]]]), "not lists of numbers: flatten it"),
        (pl.Series("e", [[datetime.date(2026, 1, 1)]]), "not lists of numbers"),
    ],
)
def test_other_columns_are_refused(column: pl.Series, mend: str) -> None:
    with pytest.raises(InputError, match="vector column 'e' holds") as refused:
        to_vector(column, PLAIN)
    assert mend in str(refused.value)


def test_brackets_have_decimal_points_whatever_the_file_has() -> None:
    """JSON in a file of decimal commas; where another separator stands, commas are decimals."""
    commas, expected = ValueRules(decimal=","), [[0.5, -2.25, 1e-3], None, [4.0, 5.0, 6.0]]
    json = pl.Series("e", ["[0.5, -2.25, 1e-3]", None, "[4, 5, 6]"])
    vector, found = to_vector(json, role(brackets=True), commas)
    assert vector.to_list() == expected and counts(found) == {}
    bars = pl.Series("e", ["0,5|-2,25|0,001", None, "4|5|6"])
    vector, found = to_vector(bars, role(separator="|"), commas)
    assert vector.to_list() == expected and counts(found) == {}
    both = pl.Series("e", ["[0,5|-2,25|0,001]", None, "[4|5|6]"])
    vector, found = to_vector(both, role(separator="|", brackets=True), commas)
    assert vector.to_list() == expected and counts(found) == {}
