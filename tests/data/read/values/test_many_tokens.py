"""Lists of missing tokens of any length mean the same."""

import polars as pl
import pytest

from postclick.data.read.values import spellings
from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.value_rules import ValueRules

TEXTS = ["t7", " t8 ", "t19999", "t20000", "2.50", "-1", "", None, "null", "T7", "a|b", " x"]


def rules(tokens: int) -> ValueRules:
    return ValueRules(missing=(*(f"t{k}" for k in range(tokens)), "-1", "a|b"))


@pytest.mark.parametrize("verbatim", [True, False])
def test_many_tokens(verbatim: bool) -> None:
    found = to_text(pl.Series("shop", TEXTS), rules(20_000), verbatim=verbatim).to_list()
    number = "2.50" if verbatim else "2.5"
    assert found == [*[None] * 3, "t20000", number, *[None] * 3, "null", "T7", None, "x"]


@pytest.mark.parametrize("verbatim", [True, False])
def test_a_set_finds_what_a_pattern_does(verbatim: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    text = pl.Series("shop", TEXTS)
    by_pattern = spellings.candidates(text, rules(20), verbatim)
    monkeypatch.setattr(spellings, "PATTERN_TOKENS", 0)
    assert spellings.candidates(text, rules(20), verbatim).equals(by_pattern)
