"""The role of each column that is neither label nor truth: a kind of feature, or why it is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from postclick.data import manifest as m
from postclick.data.check.propose.facts import ColumnFacts
from postclick.data.check.propose.names import (
    AMOUNT_WORDS,
    BEFORE_WORDS,
    DATE_WORDS,
    GROUP_WORDS,
    ID_WORDS,
    KEY_WORDS,
    TIME_WORDS,
    outcome_name,
    passing_name,
    position_name,
    weight_name,
)
from postclick.data.read.canonical import KEY, ROW, SPLIT, TIME

FEW_VALUES = 32  # whole numbers with no more different values are taken for categories
UNIQUE = 0.98  # different values per row from which a column is an id of the row
MIN_UNIQUE_ROWS = 100
OUTCOME = "looks like an outcome by its name, known only after the impression"
POSITION = "is known only after ranking, an exposure and no feature"
WEIGHT = "looks like a sample weight by its name, no feature"
_TAKEN = (*m.RESERVED, m.GROUP, KEY, TIME, ROW, SPLIT)
Kind = Literal["categorical", "numeric", "multi", "vector", "time", "ignore"]


@dataclass(frozen=True)
class Role:
    """What a column is drafted as, and why if that is no feature.

    Attributes:
        outcome: whether its name is that of an outcome, so that it is no feature in the end.
    """

    kind: Kind
    why: str = ""
    outcome: bool = False


def role_of(facts: ColumnFacts) -> Role:
    """The role of a column by itself.

    >>> import polars as pl
    >>> from postclick.data.check.propose.facts import column_facts
    >>> role_of(column_facts(pl.Series("rank", [1, 2, 3]))).why
    'is known only after ranking, an exposure and no feature'
    >>> role_of(column_facts(pl.Series("price", [1.5, 2.5]))).kind
    'numeric'
    """
    name, outcome = facts.name, outcome_name(facts.name, binary=facts.label is not None)
    if name in _TAKEN or name.endswith((m.MISSING_SUFFIX, m.WEIGHTS_SUFFIX)):
        return Role("ignore", "prepared data uses this name itself: rename it to make it a feature")
    if facts.form == "empty":
        return Role("ignore", "has no values")
    if facts.form == "none":
        return Role("ignore", facts.note)
    if facts.lists is not None:
        return Role("multi" if facts.lists.size is None else "vector", outcome=outcome)
    if facts.distinct == 1 and facts.present == facts.rows:
        return Role("ignore", "is the same in every row")
    if is_time(facts):
        return Role("ignore", OUTCOME) if outcome else Role("time")
    if facts.form == "odd date":
        return Role("ignore", "is a date that is not written as ISO 8601, such as 2026-01-05")
    if facts.numbers is not None and facts.numbers.low >= 0 and weight_name(name):
        return Role("ignore", WEIGHT)
    if facts.form == "whole" and position_name(name):
        return Role("ignore", POSITION)
    if is_row_id(facts):
        why = f"has its own value in (almost) every row ({facts.distinct:,})"
        return Role("ignore", OUTCOME if outcome else why)
    if passing_name(name) and facts.distinct > FEW_VALUES:
        return Role("ignore", "names a session, a request or so, which does not come again")
    return Role("numeric" if is_numeric(facts) else "categorical", outcome=outcome)


def is_row_id(facts: ColumnFacts) -> bool:
    """Whether (almost) every row has its own value, so that nothing can be learned from it."""
    if facts.present < MIN_UNIQUE_ROWS or facts.form not in ("whole", "text"):
        return False
    numbers = facts.numbers
    counted = numbers is not None and numbers.high - numbers.low + 1 == facts.distinct
    unique = facts.distinct >= UNIQUE * facts.present
    return unique and (counted or not is_numeric(facts))


def guess_group(facts: Sequence[ColumnFacts]) -> ColumnFacts | None:
    """The column that names a user, or else a session or a request, if there is one."""
    for word in GROUP_WORDS:
        for column in facts:
            plain = column.form in ("whole", "text")
            if plain and word in column.words and column.words <= {word} | KEY_WORDS:
                return column
    return None


def is_time(facts: ColumnFacts) -> bool:
    """Whether the column says when the impression was."""
    if facts.form == "time":
        return True
    if facts.form not in ("whole", "real") or facts.numbers is None or facts.words & BEFORE_WORDS:
        return False
    if facts.numbers.years and facts.words & DATE_WORDS:
        return True
    long = facts.numbers.ids and "at" in facts.words
    return facts.distinct > FEW_VALUES and (long or bool(facts.words & TIME_WORDS))


def is_numeric(facts: ColumnFacts) -> bool:
    """Numbers with decimals are numeric; whole ones if they are many and not named like ids.

    Many whole numbers beyond 2^31 are ids, unless they are an amount by name and skewed.
    """
    numbers = facts.numbers
    if numbers is None or numbers.codes or (numbers.odd and not numbers.tokens):
        return False
    if facts.lists is not None or facts.form not in ("whole", "real", "text"):
        return False
    if not numbers.whole:
        return True
    if numbers.distinct <= FEW_VALUES or facts.words & ID_WORDS:
        return False
    amount = bool(facts.words & (AMOUNT_WORDS | TIME_WORDS))
    if numbers.ids or facts.rounded.rows:
        return amount and numbers.skewed
    return amount or numbers.low < 0
