"""Ids without a join: the same as the vocabulary's own, for every type a column may have."""

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.lookup import text_lookup
from postclick.data.lookup.hash_table import HashTable
from postclick.data.lookup.integer_lookup import IntegerColumns, IntegerLookup
from postclick.data.lookup.vocabulary_lookup import VocabularyLookup, find_ids
from postclick.data.read.values.canonical_text import to_text
from postclick.errors import InputError

KNOWN = [
    "7",
    "0",
    "-3",
    "2.5",
    "shop",
    "true",
    "2024-01-31",
    "10000000000000000",
    "über",
    "18446744073709551615",
]
WIDE = [str(k * 10**15 - 4 * 10**18) for k in range(300)]
ODD_TEXT = [
    *("-0", "-0.0", "1e16", "1E+16", "2.50", "TRUE", " shop ", "2024-01-31T00:00:00", "0.70e1"),
    "7.0",
    "7.00",
    "-3.000",
    "7.",
    ".0",
    "",
    "NULL",
    "nan",
    "NaN",
    "null",
    "07",
    "+7",
    "\N{ARABIC-INDIC DIGIT SEVEN}.0",
    "x",
]
COLUMNS = {
    "int64": pl.Series([7, None, 0, -3, 12, 2**63 - 1, -(2**63)]),
    "int8": pl.Series([7, None, 0, -3, 127, -128], dtype=pl.Int8),
    "uint8": pl.Series([7, 0, 255], dtype=pl.UInt8),
    "uint64": pl.Series([7, None, 2**64 - 1, 2**64 - 3, 0], dtype=pl.UInt64),
    "int128": pl.Series([7, None, 2**64 - 1, -3], dtype=pl.Int128),
    "wide": pl.Series([int(text) for text in WIDE[::3]] + [5, 10**15]),
    "float64": pl.Series(
        [7.0, 2.5, None, float("nan"), -0.0, 1e16, 1e300, float("inf"), -3.0, 7.25]
    ),
    "float32": pl.Series([7.0, 2.5, None, 123456789.0, 1e10, -0.0], dtype=pl.Float32),
    "whole float": pl.Series([7.0, -3.0, 12.0]),
    "text": pl.Series([*KNOWN, *ODD_TEXT, None]),
    "text without missing": pl.Series(KNOWN),
    "boolean": pl.Series([True, False, None]),
    "categorical": pl.Series(["shop", "7.0", None, "y"], dtype=pl.Categorical),
    "enum": pl.Series(["shop", "7"], dtype=pl.Enum(["7", "shop"])),
    "date": pl.Series([date(2024, 1, 31), None]),
    "decimal": pl.Series([Decimal("7.00"), Decimal("2.50"), None]),
    "null": pl.Series([None, None]),
    "no rows": pl.Series([], dtype=pl.String),
    "no integers": pl.Series([], dtype=pl.Int64),
}


def vocabulary_of(values: list[str]) -> Vocabulary:
    ids = np.arange(1, len(values) + 1, dtype=np.int32)
    return Vocabulary(
        pl.DataFrame(
            {"value": pl.Series(values, dtype=pl.String), "id": ids, "count": ids.astype(np.int64)}
        )
    )


def agree(known: list[str], column: pl.Series) -> None:
    vocabulary = vocabulary_of(known)
    found = VocabularyLookup(vocabulary.table["value"]).ids(column)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, vocabulary.encode(to_text(column)), str(column))


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(
    "known", [KNOWN, WIDE, KNOWN + WIDE, []], ids=["few", "wide", "all", "none"]
)
def test_every_type_is_looked_up_as_the_vocabulary_does(known: list[str], name: str) -> None:
    agree(known, COLUMNS[name])


@given(
    st.lists(st.text(max_size=4) | st.integers(-20, 20).map(str), unique=True, max_size=30),
    st.data(),
)
def test_any_text(values: list[str], data: Any) -> None:
    canonical = to_text(pl.Series(values, dtype=pl.String)).drop_nulls()
    known = canonical.unique(maintain_order=True).to_list()
    entry = st.none() | st.sampled_from([*values, *(f"{v}.0" for v in values), "a", "1.00"])
    agree(known, pl.Series(data.draw(st.lists(entry, max_size=40)), dtype=pl.String))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=50), st.data())
def test_any_integers(values: list[int], data: Any) -> None:
    entry = st.none() | st.integers(-(2**63), 2**63 - 1)
    entry = entry | st.sampled_from(values) if values else entry
    column = pl.Series(data.draw(st.lists(entry, max_size=40)), dtype=pl.Int64)
    agree([str(value) for value in values], column)


@given(st.lists(st.floats(width=32) | st.integers(-9, 9).map(float), max_size=40), st.booleans())
def test_any_floats(values: list[float], single: bool) -> None:
    column = pl.Series(values, dtype=pl.Float32 if single else pl.Float64)
    known = to_text(column[::2]).drop_nulls().unique(maintain_order=True).to_list()
    agree(known, column)


def test_values_of_the_same_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hash is one of four: what is found by it is another value, mostly."""
    few = np.uint64(2**62)
    monkeypatch.setattr(
        text_lookup, "_hashes", lambda text, seed: (text.hash(seed).to_numpy() // few) * few + few
    )
    known = ["a"]
    asked = pl.Series([f"x{k}" for k in range(200)] + ["a", None])
    found = VocabularyLookup(pl.Series(known)).ids(asked)
    assert found.tolist() == [0] * 200 + [1, 0]


def test_hashes_that_clash_take_another_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    real, seeds = text_lookup._hashes, []

    def clashing(text: pl.Series, seed: int) -> Any:
        seeds.append(seed)
        return np.zeros(len(text), np.uint64) if seed == 0 else real(text, seed)

    monkeypatch.setattr(text_lookup, "_hashes", clashing)
    assert VocabularyLookup(pl.Series(["a", "b"])).ids(pl.Series(["b", "a", "c"])).tolist() == [
        2,
        1,
        0,
    ]
    assert set(seeds) == {0, 1}


def test_a_value_that_stands_twice_is_refused() -> None:
    with pytest.raises(InputError, match="holds a value twice"):
        VocabularyLookup(pl.Series(["a", "a"])).ids(pl.Series(["a"]))


def test_columns_are_found_together_as_one_by_one() -> None:
    """Text of all columns is hashed at once, each looked up in its own table."""
    known = [KNOWN, WIDE, [], ["x", "7"], KNOWN[::-1]]
    asked = pl.Series([*KNOWN, *WIDE[:20], "7.0", "-3.00", None, ""])
    kinds = [asked, asked, asked, pl.Series(range(len(asked))), asked.cast(pl.Categorical)]
    columns = [
        (VocabularyLookup(pl.Series(v, dtype=pl.String)), c)
        for v, c in zip(known, kinds, strict=True)
    ]
    for found, (feature, column) in zip(find_ids(columns), columns, strict=True):
        np.testing.assert_array_equal(found, feature.ids(column))
    assert find_ids([]) == []


def test_lists_are_refused() -> None:
    with pytest.raises(InputError, match="list it under multi"):
        VocabularyLookup(pl.Series(["a"])).ids(pl.Series("x", [["a"]]))


@given(st.sets(st.integers(0, 2**64 - 1), max_size=200), st.lists(st.integers(0, 2**64 - 1)))
def test_the_table_is_a_dictionary(keys: set[int], more: list[int]) -> None:
    """Also with keys that share their upper bits, 0 and the largest."""
    listed = [*keys, *(k for k in (0, 2**64 - 1, *range(1, 9)) if k not in keys)]
    ids = np.arange(1, len(listed) + 1, dtype=np.int32)
    table = HashTable(np.array(listed, dtype=np.uint64), ids)
    expected = dict(zip(listed, ids.tolist(), strict=True))
    asked = [*listed, *more]
    found = table.lookup(np.array(asked, dtype=np.uint64))
    assert found.tolist() == [expected.get(key, 0) for key in asked]


def test_an_empty_table() -> None:
    table = HashTable(np.zeros(0, np.uint64), np.zeros(0, np.int32))
    assert table.lookup(np.array([0, 5, 2**64 - 1], np.uint64)).tolist() == [0, 0, 0]


def test_integers_of_several_columns_in_one_sweep() -> None:
    """As each column by itself: dense tables, a hash table, values beyond both ends."""
    rng = np.random.default_rng(0)
    values = [
        pl.Series([str(k) for k in rng.permutation(500)]),
        pl.Series([str(k) for k in rng.integers(-(2**62), 2**62, 300)]),
        pl.Series(["shop", "07", "-3", "12"]),
        pl.Series([], dtype=pl.String),
    ]
    columns = [IntegerLookup(found, pl.Int64()) for found in values]
    whole = np.concatenate([found.cast(pl.Int64, strict=False).fill_null(5) for found in values])
    matrix = rng.choice([*whole, -(2**63), 2**63 - 1, 0, 500, 501], (400, 5)).astype(np.int64)
    which = np.array([2, 0, 1, 3, 0])
    expected = [columns[k].find_array(matrix[:, j]).tolist() for j, k in enumerate(which)]
    assert sum(map(sum, expected)) > 0
    assert IntegerColumns(columns).find(matrix, which).T.tolist() == expected
    alone = [columns[k].find_array(matrix[:, j]).tolist() for j, k in enumerate(which)]
    assert alone == expected
