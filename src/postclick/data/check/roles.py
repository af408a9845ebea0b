"""Guesses the role of each column of a log from its name and its values."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from postclick.data.check.column_facts import ColumnFacts
from postclick.errors import InputError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CLICK_WORDS = _words("click clicks clicked clk visit visits visited")
CONVERSION_WORDS = _words(
    "conversion conversions conv converted convert purchase purchases purchased buy bought order "
    "orders ordered pay paid payment sale sold transaction install installed subscribed"
)
TIME_WORDS = _words("time timestamp ts date datetime")
ID_WORDS = _words("id ids code category cate type segment group zip brand shop cluster")
# Those whose rows belong together, the likeliest first, and what else their names may say.
GROUP_WORDS = [
    "user",
    "uid",
    "customer",
    "member",
    "visitor",
    "account",
    "session",
    "request",
    "query",
]
KEY_WORDS = _words("id key hash code")
AMOUNT_WORDS = _words(
    "count cnt num number price amount age days score rate qty quantity avg mean sum total "
    "length size duration history value numerical"
)
FEW_VALUES = 32  # whole numbers with no more different values are taken for categories
UNIQUE = 0.98  # different values per row from which a column is an id of the row
MIN_UNIQUE_ROWS = 100
MIN_FUNNEL = 20  # conversions that must all be clicked before a nameless column is believed


@dataclass(frozen=True)
class Labels:
    """The columns taken for click and conversion, and conversions without a click."""

    click: str
    conversion: str
    clickless: int


def guess_labels(facts: Sequence[ColumnFacts], where: str) -> Labels:
    """The two label columns, by name and because a conversion implies a click.

    Raises:
        InputError: they cannot be told; the message names the columns that are 0/1.
    """
    binary = [f for f in facts if f.label is not None]
    clicks = _named(binary, CLICK_WORDS)
    conversions = _named(binary, CONVERSION_WORDS)
    pairs = [(a, b) for a in clicks for b in conversions if a is not b]
    if not pairs:  # one of the two has a name: the funnel may tell the other
        pairs = [(a, b) for a in clicks for b in binary if _inside(b, a)]
        pairs += [(a, b) for b in conversions for a in binary if _inside(b, a)]
        pairs = pairs if len(pairs) == 1 else []
    ranked = sorted(pairs, key=lambda pair: _clickless(*pair) > 0.01 * _ones(pair[1]))
    if not ranked:
        names = ", ".join(repr(f.name) for f in binary) or "none"
        raise InputError(
            f"{where}: cannot tell the click and the conversion column; columns that are 0 or 1 "
            f"in every row: {names}: write a schema that names the two"
        )
    click, conversion = ranked[0]
    return Labels(click.name, conversion.name, _clickless(click, conversion))


def _named(facts: Sequence[ColumnFacts], words: frozenset[str]) -> list[ColumnFacts]:
    found = [f for f in facts if f.words & words]
    return sorted(found, key=lambda f: len(f.words))


def _ones(facts: ColumnFacts) -> int:
    return int(_label(facts).sum())


def _label(facts: ColumnFacts) -> pl.Series:
    assert facts.label is not None
    return facts.label


def _clickless(click: ColumnFacts, conversion: ColumnFacts) -> int:
    return int((_label(conversion) > _label(click)).sum())


def _inside(conversion: ColumnFacts, click: ColumnFacts) -> bool:
    few = _ones(conversion)
    return MIN_FUNNEL <= few < _ones(click) and _clickless(click, conversion) == 0


def is_row_id(facts: ColumnFacts) -> bool:
    """Whether (almost) every row has its own value, so that nothing can be learned from it."""
    enough = facts.present >= MIN_UNIQUE_ROWS and facts.form in ("whole", "text")
    return enough and facts.separator is None and facts.distinct >= UNIQUE * facts.present


def guess_group(facts: Sequence[ColumnFacts]) -> ColumnFacts | None:
    """The column that names a user, or else a session or a request, if there is one."""
    for word in GROUP_WORDS:
        for column in facts:
            plain = column.form in ("whole", "text") and column.separator is None
            if plain and word in column.words and column.words <= {word} | KEY_WORDS:
                return column
    return None


def is_time(facts: ColumnFacts) -> bool:
    """Whether the column says when the impression was."""
    named = bool(facts.words & TIME_WORDS) and facts.form in ("whole", "real")
    return facts.form == "time" or (named and facts.distinct > FEW_VALUES)


def is_numeric(facts: ColumnFacts) -> bool:
    """Numbers with decimals are numeric; whole ones if they are many and not named like ids."""
    if facts.form == "real":
        return True
    if facts.form != "whole" or facts.distinct <= FEW_VALUES or facts.words & ID_WORDS:
        return False
    return bool(facts.words & AMOUNT_WORDS) or facts.span.startswith("-")
