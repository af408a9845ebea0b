"""Columns of any type as numbers."""

import polars as pl

from postclick.data.read.values.bad_values import (
    INFINITE,
    NO_NUMBER,
    NO_TRUTH,
    TRUTH_RANGE,
    UNREADABLE,
    BadValues,
    Found,
)
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules
from postclick.errors import InputError

_WORDS = {"true": 1.0, "false": 0.0}
_NUMBERS_TOO = (pl.Boolean, pl.Null, pl.String, pl.Categorical, pl.Enum)


def to_number(
    column: pl.Series, rules: ValueRules = DEFAULT_RULES
) -> tuple[pl.Series, BadValues, BadValues]:
    """Numbers as Float64: the column, unreadable text, infinities; both become null.

    Text may have spaces around it and an exponent, and true and false are 1 and 0 as in a column
    of that type. What stands for a missing number by the rules is null.

    Raises:
        InputError: the column holds lists, records, dates or bytes.

    >>> number, unreadable, infinite = to_number(pl.Series("x", ["1", " 2.5 ", "NA", "ten", "inf"]))
    >>> number.to_list(), unreadable, infinite.rows
    ([1.0, 2.5, None, None, None], BadValues(rows=1, examples=("'ten'",)), 1)
    """
    number, found = read_number_column(column, rules)
    of_kind = {kind: bad for kind, _, bad in found}
    return number, of_kind.get(UNREADABLE, BadValues()), of_kind.get(INFINITE, BadValues())


def read_number_column(
    column: pl.Series, rules: ValueRules = DEFAULT_RULES
) -> tuple[pl.Series, Found]:
    """`to_number`, with all that was found: texts taken for missing numbers, too.

    Raises:
        InputError: as `to_number`.
    """
    kind, name = column.dtype, column.name
    if not (kind.is_numeric() or kind in _NUMBERS_TOO):
        raise InputError(
            f"column {name!r} holds {kind}, not numbers: derive a number from it, "
            "list it under another kind, or take it out of the schema"
        )
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    found: Found = []
    if kind == pl.String:
        number, found = _of_text(column, rules)
    else:
        number = column.cast(pl.Float64)
    infinite = number.is_infinite()
    if bool(infinite.any()):
        found.append((INFINITE, name, BadValues.of(column, infinite.fill_null(False))))
        number = number.set(infinite.fill_null(False), None)
    if rules.numbers:
        missing = numbers_in(kind, rules)
        number = number.set(number.is_in(missing).fill_null(False), None)
    return number.fill_nan(None), found


def widened(column: pl.Series) -> pl.Series:
    """A column of 32 bits with the numbers that its values print as; any other as it is.

    Where numbers are compared, 0.7 has to be 0.7 in every type.

    >>> widened(pl.Series([0.7], dtype=pl.Float32)).to_list()
    [0.7]
    """
    return column.cast(pl.String).cast(pl.Float64) if column.dtype == pl.Float32 else column


def numbers_in(kind: pl.DataType, rules: ValueRules) -> list[float]:
    """The numbers that stand for a missing one, as a column of this type can hold them.

    >>> numbers_in(pl.Float32(), ValueRules(("-99.9",)))
    [-99.9000015258789]
    """
    if kind in (pl.Float32, pl.Float16):
        return pl.Series(rules.numbers, dtype=kind).cast(pl.Float64).to_list()
    return list(rules.numbers)


def _of_text(column: pl.Series, rules: ValueRules) -> tuple[pl.Series, Found]:
    written = column
    if rules.decimal != ".":
        # With decimal commas a point groups thousands, or the text is no number: both unreadable.
        comma = column.str.contains(".", literal=True)
        written = column.str.replace(rules.decimal, ".", literal=True).set(comma, None)
    number = written.cast(pl.Float64, strict=False)
    if number.null_count() == column.null_count():
        return number, []
    lost = number.is_null() & column.is_not_null()
    text = written.filter(lost).str.strip_chars()
    again = text.cast(pl.Float64, strict=False)
    word = text.str.to_lowercase()
    again = again.fill_null(word.replace_strict(_WORDS, default=None, return_dtype=pl.Float64))
    raw = column.filter(lost)
    known = rules.is_no_number(raw)
    found = [(UNREADABLE, column.name, BadValues.of(raw, again.is_null() & ~known))]
    taken = BadValues.of(raw, known & (raw.str.strip_chars() != ""))
    found += [(NO_NUMBER, column.name, taken)] if taken.rows else []
    return number.clone().scatter(lost.arg_true(), again), found


def to_truth(
    column: pl.Series, binary: bool, rules: ValueRules = DEFAULT_RULES
) -> tuple[pl.Series, Found]:
    """A truth column as Float64; probabilities, or 0 and 1 if `binary`.

    >>> number, found = to_truth(pl.Series("p", [0.5, 1.2, None]), binary=False)
    >>> number.to_list(), [(kind, bad.rows) for kind, _, bad in found if bad.rows]
    ([0.5, 1.2, None], [('truth-range', 1), ('no-truth', 1)])
    """
    number, found = read_number_column(column, rules)
    wrong = ~number.is_in([0.0, 1.0]) if binary else (number < 0) | (number > 1)
    return number, [
        *(one for one in found if one[0] != NO_NUMBER),
        (TRUTH_RANGE, column.name, BadValues.of(column, wrong.fill_null(False))),
        (NO_TRUTH, column.name, BadValues(number.null_count(), ("missing",))),
    ]
