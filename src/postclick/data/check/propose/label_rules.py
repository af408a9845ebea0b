"""From a column that someone calls click or conversion to the rule by which it is 0 or 1."""

import re
from dataclasses import dataclass

import polars as pl

from postclick.data.check.columns.labels import YES_WORDS
from postclick.data.check.propose.facts import ColumnFacts
from postclick.data.check.propose.names import KEY_WORDS
from postclick.data.read.log_source import LogSource
from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.labels import to_label
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.schema import Label
from postclick.errors import InputError
from postclick.spelling import counted

_RULE = re.compile(r"(.+?)\s*(>=|<=|==|!=|>|<)\s*(\S.*)")
NO_WORDS = frozenset(
    [
        "no",
        "n",
        "f",
        "false",
        "off",
        "none",
        "view",
        "views",
        "viewed",
        "impression",
        "impressions",
        "imp",
        "shown",
    ]
)
NAMED = 3  # values in a message
PRESENT = "1 where it has a value"


@dataclass(frozen=True)
class Asked:
    """A column that is to be a label, and the rule if one was given with it."""

    column: str
    positive: str | None = None


@dataclass(frozen=True)
class LabelDraft:
    """A label as it goes into a schema.

    Attributes:
        values: 0 and 1, missing ones as 0.
        meaning: what the rule means, "" for a column that is 0 and 1.
        absent: rows without a value, of a column without a rule.
    """

    label: Label
    values: pl.Series
    meaning: str = ""
    absent: int = 0

    @property
    def ones(self) -> int:
        return int(self.values.sum())


def ask(name: str, source: LogSource) -> Asked:
    """The column that `--click` or `--conversion` names, as "paid" or "paid > 0".

    Raises:
        InputError: the log has no such column.
    """
    match = None if name in source.columns else _RULE.fullmatch(name.strip())
    if match is not None and match[1] in source.columns:
        return Asked(match[1], f"{match[2]} {match[3]}")
    source.require([name])
    return Asked(name)


def draft_label(
    source: LogSource,
    column: pl.Series,
    facts: ColumnFacts,
    asked: Asked,
    rules: ValueRules,
    click: LabelDraft | None,
) -> LabelDraft:
    """The label that a column is, with the rule that it needs.

    Args:
        click: the click, if it is the conversion that is drafted.

    Raises:
        InputError: the column cannot be a label, or would be 1 in every row.
    """
    where = f"{source.name}: {'click' if click is None else 'conversion'} {asked.column!r}"
    if facts.form in ("none", "list", "empty"):
        what = facts.note or {"list": "holds lists"}.get(facts.form, "has no values")
        raise InputError(
            f"{where} {what.partition(':')[0]}: name a column that is 0/1, a count, an amount or "
            "a time"
        )
    positive, meaning = asked.positive, ""
    if positive is None and facts.label is not None:
        positive, meaning = _of_binary(column, facts.label, rules, click)
        if positive is None:
            plain, absent = facts.label.fill_null(0), facts.label.null_count()
            return LabelDraft(Label(column=asked.column), plain, absent=absent)
    elif positive is None:
        positive, meaning = _of_values(where, column, facts, rules)
    label = Label.model_validate({"column": asked.column, "positive": positive})
    values, unreadable = to_label(column, label, rules)
    if unreadable.rows:
        such = ", ".join(unreadable.examples)
        raise InputError(
            f"{where}: {counted(unreadable.rows, 'value is no number', 'values are no numbers')} "
            f"(such as {such}): mend them, or write another rule"
        )
    if values.min() == 1:
        raise InputError(
            f"{where}, read as {positive}, is 1 in all {counted(len(values), 'row')}: name a "
            "column that is 0/1, a count, an amount or a time, or say when it is 1, as in "
            f"'{asked.column} > 0'"
        )
    return LabelDraft(label, values, meaning or f"1 where {asked.column} {positive}")


def _of_binary(
    column: pl.Series, label: pl.Series, rules: ValueRules, click: LabelDraft | None
) -> tuple[str | None, str]:
    """No rule for 0 and 1, nor for a conversion that is missing only where there is no click."""
    missing = label.is_null()
    if click is not None:
        missing = missing & (click.values == 1)
    count = int(missing.sum())
    if count == 0:
        return None, ""
    ones = to_text(column.filter(label == 1), rules).unique().to_list()
    rule = f"== {ones[0]}" if len(ones) == 1 else "> 0"
    among = "rows" if click is None else "clicked rows"
    return rule, f"missing in {count:,} {among}, which count as 0"


def _of_values(
    where: str, column: pl.Series, facts: ColumnFacts, rules: ValueRules
) -> tuple[str, str]:
    """The rule for a count, an amount, a time, a word or whatever is there or not."""
    numbers = facts.numbers
    gaps = facts.present < facts.rows
    if numbers is not None and facts.form in ("whole", "real"):
        # 0 is an id as any other; a time that is always above 0 is there or not.
        id_name = bool(facts.words & KEY_WORDS) and gaps
        if not id_name and not (numbers.ids and numbers.low < 0):
            there = gaps and numbers.above == facts.present and not numbers.known
            return ("present", PRESENT) if there else ("> 0", "1 where it is above 0")
    if len(facts.like_missing) == 1:
        token = next(iter(facts.like_missing))
        return f"!= {token}", f"1 where it has a value that is not {token!r}"
    words = to_text(column, rules).drop_nulls().alias("text").value_counts(name="rows")
    words = words.sort("rows", "text", descending=[True, False])
    texts = words["text"].to_list()
    no = [text for text in texts if text.lower() in NO_WORDS]
    yes = [text for text in texts if text.lower() in YES_WORDS]
    if not gaps and facts.form == "text":
        if len(no) == 1:
            return f"!= {no[0]}", f"1 where it is not {no[0]!r}"
        if len(yes) == 1:
            return f"== {yes[0]}", f"1 where it is {yes[0]!r}"
        most = ", ".join(f"{text!r} in {rows:,}" for text, rows in words.head(NAMED).iter_rows())
        more = f" and {len(texts) - NAMED:,} more" if len(texts) > NAMED else ""
        raise InputError(
            f"{where} is neither 0/1 nor a number ({most}{more}): say which value is 1, as in "
            f"'{column.name} == {texts[0]}', or name another column"
        )
    return "present", PRESENT
