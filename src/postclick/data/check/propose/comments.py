"""What a draft says of a feature, behind its name."""

from collections import Counter

from postclick.data.check.propose.facts import ColumnFacts
from postclick.data.check.propose.number_facts import Numbers
from postclick.spelling import counted

TOKENS = 3  # texts that are named
MANY_VALUES = 10_000
OFTEN_NEW = 0.5  # different values per row from which ids seem to go on growing


def comment(kind: str, facts: ColumnFacts) -> str:
    """How many values there are and what is odd about them, in one line.

    >>> import polars as pl
    >>> from postclick.data.check.propose.facts import column_facts
    >>> comment("numeric", column_facts(pl.Series("price", ["1.5", "-", "2", "NA", "NA"])))
    "2 values, 1.5 to 2, missing in 60.0%, numeric but for 3 values ('NA', '-')"
    """
    parts = [counted(facts.distinct, "value")]
    numbers = facts.numbers
    if kind == "vector" and facts.lists is not None:
        parts = [f"vectors of {facts.lists.size} numbers"]
    if kind == "numeric" and numbers is not None:
        parts = [
            counted(numbers.distinct, "value"),
            f"{numbers.low:.6g} to {numbers.high:.6g}",
        ]
    present = numbers.rows if kind == "numeric" and numbers is not None else facts.present
    if present < facts.rows:
        parts.append(f"missing in {1 - present / facts.rows:.1%}")
    if kind == "numeric" and numbers is not None:
        parts += _of_numbers(numbers)
    elif kind == "categorical":
        parts += _of_categories(facts)
    if facts.lists is not None and facts.lists.odd:
        parts.append(f"brackets or quotes in {counted(facts.lists.odd, 'row')}")
    return ", ".join(parts)


def _of_numbers(numbers: Numbers) -> list[str]:
    parts = []
    if numbers.known:
        count = counted(numbers.known.total(), "value")
        parts.append(f"numeric but for {count} ({_named(numbers.known)})")
    if numbers.odd:
        said = f"text in {counted(numbers.odd.total(), 'row')} ({_named(numbers.odd)}), see missing"
        parts.append(f"numeric but for {said}" if not numbers.known else said)
    if numbers.infinite:
        parts.append(f"infinite in {counted(numbers.infinite, 'row')}, taken for missing")
    for value, rows in numbers.sentinels.items():
        parts.append(
            f"{value} in {counted(rows, 'row')} is apart from the rest: list it under missing if "
            "it means no value"
        )
    return parts


def _of_categories(facts: ColumnFacts) -> list[str]:
    parts = []
    numbers = facts.numbers
    if facts.rounded.rows:
        parts.append(
            f"{facts.rounded.rows:,} whole numbers in floating point have lost their last digits: "
            "write the column as integers or text"
        )
    elif numbers is not None and numbers.ids:
        parts.append("whole numbers beyond 2^31, taken for ids")
    if numbers is not None and numbers.odd and not numbers.tokens and not numbers.codes:
        rows = counted(numbers.odd.total(), "row")
        parts.append(f"numeric but for text in {rows}: {_named(numbers.odd)}")
    if facts.like_missing:
        rows = counted(facts.like_missing.total(), "row")
        parts.append(
            f"{_named(facts.like_missing)} in {rows}: list it under missing if it means no value"
        )
    if facts.note:
        parts.append(facts.note)
    if facts.distinct > MANY_VALUES and facts.distinct > OFTEN_NEW * facts.present:
        parts.append("often new: under hashed it would need no vocabulary")
    return parts


def _named(texts: Counter[str]) -> str:
    most = sorted(texts.items(), key=lambda item: (-item[1], item[0]))
    more = ", ..." if len(most) > TOKENS else ""
    return ", ".join(repr(text[:40]) for text, _ in most[:TOKENS]) + more
