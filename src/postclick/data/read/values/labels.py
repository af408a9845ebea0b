"""Click and conversion columns as 0 and 1."""

import operator
from collections.abc import Callable
from typing import Any, Protocol

import polars as pl

from postclick.data.read.values.bad_values import NOT_BINARY, BadValues, Found
from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.numbers import to_number
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules
from postclick.data.schema import Label
from postclick.errors import InputError

_WRITTEN = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
# Booleans are written as numbers, and numbers as booleans.
_TWINS = {"1": "true", "true": "1", "0": "false", "false": "0"}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class Labels(Protocol):
    """What names a click and a conversion column, as a schema does."""

    @property
    def click(self) -> Label: ...

    @property
    def conversion(self) -> Label: ...


def to_label(
    column: pl.Series, label: Label | None = None, rules: ValueRules = DEFAULT_RULES
) -> tuple[pl.Series, BadValues]:
    """A 0/1 label as Int8, null where it is missing or anything else.

    Args:
        label: its rule, by which everything is 0 or 1 and a missing value is 0; without one the
            column has to be 0 and 1.

    Raises:
        InputError: the rule does not fit the column's type.

    >>> label, bad = to_label(pl.Series("click", ["1", "0.0", "true", "yes", None]))
    >>> label.to_list(), bad
    ([1, 0, 1, None, None], BadValues(rows=2, examples=("'yes'", 'missing')))
    >>> paid = Label(column="paid", positive="> 0")
    >>> to_label(pl.Series("paid", [9.5, 0.0, None]), paid)[0].to_list()
    [1, 0, 0]
    """
    if label is not None and label.positive is not None:
        return _by_rule(column, label, rules)
    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    if kind == pl.Boolean:
        found = column.cast(pl.Int8)
    elif kind.is_numeric():
        found = column.set(~((column == 0) | (column == 1)), None).cast(pl.Int8)
    elif kind == pl.String:
        found = column.replace_strict(_WRITTEN, default=None, return_dtype=pl.Int8)
        if found.null_count() > column.null_count():
            text = to_text(column, rules)
            found = text.replace_strict(_WRITTEN, default=None, return_dtype=pl.Int8)
            column = column.set(text.is_null(), None)
    else:
        if not kind.is_nested():
            to_text(column, rules)  # refuses what cannot be shown either
        found = pl.Series(column.name, [None] * len(column), dtype=pl.Int8)
    return found, BadValues.of(column, found.is_null())


def to_funnel(
    raw: tuple[pl.Series, pl.Series], schema: Labels, rules: ValueRules = DEFAULT_RULES
) -> tuple[tuple[pl.Series, pl.Series], Found]:
    """The click and the conversion of each row; without a click a missing conversion is none.

    Args:
        raw: the columns that `schema.click` and `schema.conversion` name.

    Raises:
        InputError: as `to_label`.

    >>> from postclick.data.schema import LogSchema
    >>> schema = LogSchema.parse({"click": "c", "conversion": "v", "categorical": ["shop"]})
    >>> raw = pl.Series("c", [0, 1, 1]), pl.Series("v", [None, None, 1])
    >>> (click, conversion), found = to_funnel(raw, schema)
    >>> conversion.to_list(), found[1]
    ([0, None, 1], ('not-binary', 'v', BadValues(rows=1, examples=('missing',))))
    """
    click, bad_click = to_label(raw[0], schema.click, rules)
    conversion, bad = to_label(raw[1], schema.conversion, rules)
    if bad.rows:
        absent = ((click == 0) & to_text(raw[1], rules).is_null()).fill_null(False)
        conversion = conversion.set(absent, 0)
        bad = BadValues.of(raw[1], conversion.is_null())
    names = schema.click.column, schema.conversion.column
    return (click, conversion), [(NOT_BINARY, names[0], bad_click), (NOT_BINARY, names[1], bad)]


def _by_rule(column: pl.Series, label: Label, rules: ValueRules) -> tuple[pl.Series, BadValues]:
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise InputError(
            f"label column {column.name!r} holds {column.dtype}, not one value per row: "
            "name another column"
        )
    if label.rule is None:
        return _present(column, rules).cast(pl.Int8), BadValues()
    compare, operand = label.rule
    if compare in _COMPARE:
        number, unreadable, infinite = to_number(column, rules)
        positive = _COMPARE[compare](number, float(operand)).fill_null(False).cast(pl.Int8)
        if not unreadable.rows and not infinite.rows:
            return positive, unreadable
        text = to_text(column, rules)
        none = rules.is_no_number(text) | text.cast(pl.Float64, strict=False).is_nan()
        lost = number.is_null() & text.is_not_null() & ~none.fill_null(False)
        return positive.set(lost, None), BadValues.of(column, lost)
    text = to_text(column, rules)
    wanted = to_text(pl.Series([operand]), rules)[0]
    equal = text.is_in([wanted, _TWINS.get(wanted, wanted)]).fill_null(False)
    if compare == "!=":
        equal = ~equal & text.is_not_null()
    return equal.cast(pl.Int8), BadValues()


def _present(column: pl.Series, rules: ValueRules) -> pl.Series:
    """Where there is a value; in a column of nothing but 0/1 or true/false where it is 1."""
    text = to_text(column, rules)
    if bool(text.drop_nulls().is_in(["0", "1", "false", "true"]).all()):
        return text.is_in(["1", "true"]).fill_null(False)
    return text.is_not_null()
