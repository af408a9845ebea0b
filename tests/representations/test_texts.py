"""Canonical text is its own canonical text, and its own number."""

from datetime import datetime

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.numbers import to_number
from postclick.data.read.values.value_rules import ValueRules

# Pieces that numbers, moments and missing values are made of, and any text.
_PIECES = st.lists(
    st.sampled_from([*"0123456789.,eE+-: TZ/|\\", "00", "true", "inf", "nan", "NA", "UTC", "T00"])
    | st.integers(-(10**20), 10**20).map(str)
    | st.floats().map(str)
    | st.datetimes(datetime(1, 1, 2)).map(str),
    max_size=4,
).map("".join)
_TEXTS = st.lists(st.text(max_size=20) | _PIECES, min_size=1, max_size=8)
_RULES = st.sampled_from([ValueRules(), ValueRules(("-1", "?")), ValueRules((), ",")])


@settings(max_examples=150)
@given(texts=_TEXTS, rules=_RULES, verbatim=st.booleans())
def test_canonical_text_is_itself(texts: list[str], rules: ValueRules, verbatim: bool) -> None:
    once = to_text(pl.Series("c", texts), rules, verbatim=verbatim)
    assert to_text(once, rules, verbatim=verbatim).to_list() == once.to_list()


@settings(max_examples=150)
@given(texts=_TEXTS)
def test_canonical_text_is_the_same_number(texts: list[str]) -> None:
    """Whatever text is a number, its canonical form is that number."""
    for text in texts:
        column = pl.Series("c", [text])
        number = to_number(column)[0].to_list()
        again = to_number(to_text(column))[0].to_list()
        assert number == again, text


@settings(max_examples=80)
@given(numbers=st.lists(st.floats(allow_nan=False) | st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_a_number_and_its_text_are_one_category(numbers: list[float]) -> None:
    for number in numbers:
        column = pl.Series([number])
        assert to_text(pl.Series([repr(number)])).to_list() == to_text(column).to_list()
        assert to_text(to_text(column)).to_list() == to_text(column).to_list()


@settings(max_examples=80)
@given(number=st.floats(width=32, allow_nan=False))
def test_a_float_of_32_bits_is_its_shortest_decimal(number: float) -> None:
    text = to_text(pl.Series([number], dtype=pl.Float32))[0]
    assert pl.Series([float(text)]).cast(pl.Float32).item() == number
