"""What a raw column looks like, to guess its role from."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from postclick.data.check.propose.list_form import (
    ListForm,
    are_grouped,
    are_vectors,
    find_list,
    is_nested,
)
from postclick.data.check.propose.names import words_of
from postclick.data.check.propose.number_facts import Numbers, read_numbers
from postclick.data.read.values.canonical_text import read_text, to_text
from postclick.data.read.values.labels import to_label
from postclick.data.read.values.lists import flatten
from postclick.data.read.values.rounded_ids import RoundedIds
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules
from postclick.errors import InputError

# "odd date": a date that is not written by ISO 8601; "none": nothing that can be used.
Form = Literal["empty", "none", "list", "time", "odd date", "whole", "real", "text"]
_ISO = r"^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?$"
_TIME_OF_DAY = r"^\d\d:\d\d(?::\d\d(?:\.\d+)?)?$"
_BINARY = {"0", "1", "false", "true"}
_MONTH = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_ODD_DATE = (
    r"^(?:\d{1,2}[/.-]\d{1,2}[/.-](?:\d{2}|\d{4})|\d{4}/\d\d?/\d\d?|(?:\w{3},? )?\d{1,2}[ -]"
    rf"{_MONTH}[ ,-]+\d{{2,4}}|(?:\w{{3}},? )?{_MONTH} \d{{1,2}},? .*)(?:[T :].*)?$"
)


@dataclass(frozen=True)
class ColumnFacts:
    """Facts on the sampled values of one column.

    Attributes:
        form: how its values are written.
        present: rows that have a value; of numbers, that are numbers.
        distinct: different values, missing left out.
        label: 0 and 1, null where missing, if it has no other values; else None.
        lists: how it writes lists, if it does.
        numbers: what it is as numbers, if at least half of its values are some.
        like_missing: rows of each category that looks like a missing value.
        rounded: whole numbers in floating point too large to be exact.
        note: what is to be said of a form.
    """

    name: str
    form: Form
    rows: int
    present: int
    distinct: int
    label: pl.Series | None = None
    lists: ListForm | None = None
    numbers: Numbers | None = None
    like_missing: Counter[str] = field(default_factory=Counter)
    rounded: RoundedIds = field(default_factory=RoundedIds)
    note: str = ""

    @property
    def words(self) -> frozenset[str]:
        """The words of the name in lower case."""
        return words_of(self.name)


def column_facts(
    column: pl.Series, rules: ValueRules = DEFAULT_RULES, lengths: pl.Series | None = None
) -> ColumnFacts:
    """Look at one raw column.

    Args:
        lengths: how many elements its lists have, if it holds the first few only.

    >>> facts = column_facts(pl.Series("price", ["1.50", "2", None, "NA"]))
    >>> facts.form, facts.present, facts.distinct, dict(facts.numbers.known)
    ('real', 2, 2, {'NA': 1})
    """
    name, rows, kind = column.name, len(column), column.dtype
    if isinstance(kind, pl.List):
        return _of_lists(column, column.list.len() if lengths is None else lengths, rules)
    why = unusable(kind)
    if why:
        return ColumnFacts(name, "none", rows, rows - column.null_count(), 0, note=why)
    read = read_text(column, rules)
    text = read.text
    present = text.drop_nulls()
    distinct = present.n_unique()
    if distinct == 0:
        return ColumnFacts(name, "empty", rows, 0, 0)
    if kind.is_temporal() and kind != pl.Time:
        return ColumnFacts(name, "time", rows, len(present), distinct)
    binary = to_label(text)[0] if distinct <= len(_BINARY) and _is_binary(present) else None
    numbers = read_numbers(column, text, rules) if kind != pl.Time else None

    def facts(form: Form, **more: object) -> ColumnFacts:
        given = {"label": binary, "numbers": numbers, "like_missing": read.like_missing, **more}
        return ColumnFacts(name, form, rows, len(present), distinct, **given)  # type: ignore[arg-type]

    if numbers is not None and not numbers.odd and not numbers.codes:
        return ColumnFacts(
            name,
            "whole" if numbers.whole else "real",
            rows,
            numbers.rows,
            numbers.distinct,
            binary,
            numbers=numbers,
            like_missing=read.like_missing,
            rounded=read.rounded,
        )
    plain = present.filter(~present.is_in(list(rules.suspicious)))
    if is_nested(plain):
        return facts("none", note="holds JSON records or lists of lists: flatten it to use it")
    # Times come before lists: without needless zeros the number of their colons varies.
    if len(plain) and bool(plain.str.contains(_ISO).all()):
        return facts("time")
    if len(plain) and bool(plain.str.contains(_ODD_DATE).all()):
        return facts("odd date")
    of_day = len(plain) and bool(plain.str.contains(_TIME_OF_DAY).all())
    lists = find_list(plain) if not of_day and (numbers is None or numbers.odd) else None
    if lists is not None:
        return facts("list", lists=lists, numbers=None)
    grouped = are_grouped(plain.unique()) if len(plain) else False
    note = "numbers with a comma between thousands: write them without to make it numeric"
    return facts("text", note=note if grouped else "")


def _is_binary(present: pl.Series) -> bool:
    return set(present.unique().to_list()) <= _BINARY


def unusable(kind: pl.DataType) -> str:
    """Why a column of a type cannot be a feature, "" if it can.

    >>> unusable(pl.Binary()), unusable(pl.Int64())
    ('holds bytes: cast it to text to make it a feature', '')
    """
    if isinstance(kind, pl.Struct):  # others are columns by their fields already
        return "holds records without fields"
    if kind == pl.Binary:
        return "holds bytes: cast it to text to make it a feature"
    if kind == pl.Duration:
        return "holds durations: write them as numbers to make it a feature"
    if kind.is_nested() or kind == pl.Object:
        return f"holds {'objects' if kind == pl.Object else kind}: flatten it to make it a feature"
    return ""


def _of_lists(column: pl.Series, lengths: pl.Series, rules: ValueRules) -> ColumnFacts:
    name, rows = column.name, len(column)
    full = int((lengths.fill_null(0) > 0).sum())
    values = flatten(column)[0]
    kind = values.dtype
    if isinstance(kind, pl.Struct) and [f.name for f in kind.fields] == ["key", "value"]:
        why = "holds maps: write the keys that matter as columns to use them"
        return ColumnFacts(name, "none", rows, full, 0, note=why)
    if kind.is_nested():
        why = "holds lists of records or of lists: flatten it to use it"
        return ColumnFacts(name, "none", rows, full, 0, note=why)
    try:
        text = to_text(values, rules).drop_nulls()
    except InputError:
        why = f"holds lists whose elements are {kind}: cast them to text to use it"
        return ColumnFacts(name, "none", rows, full, 0, note=why)
    if len(text) == 0:
        return ColumnFacts(name, "empty", rows, 0, 0)
    size = are_vectors(values, lengths) if kind.is_float() else None
    return ColumnFacts(name, "list", rows, full, text.n_unique(), lists=ListForm(size=size))
