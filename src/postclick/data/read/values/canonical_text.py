"""Categories as text: one text for each value, whatever type or spelling it comes in."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from postclick.data.read.values.earlier_text import earlier_text
from postclick.data.read.values.not_one_value import not_one_value
from postclick.data.read.values.number_spellings import NumberSpellings
from postclick.data.read.values.rounded_ids import RoundedIds
from postclick.data.read.values.spellings import (
    candidates,
    missing_values,
    plain_float,
    shortest_moments,
    value_texts,
    without_zeros,
    without_zeros_behind_seconds,
)
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules
from postclick.errors import InputError

_WHOLE_LIMIT = 2.0**63
_PER_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
# Days of 0001-01-01 and 9999-12-31, counted from 1970-01-01.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896


@dataclass
class ReadText:
    """Categories as text, and what is odd about the values they were.

    Attributes:
        text: String, null where missing.
        like_missing: rows of each text that looks like a missing value and was not taken for one.
        spellings: how decimals and exponents are written.
        rounded: whole numbers in floating point too large to be exact.
    """

    text: pl.Series
    like_missing: Counter[str] = field(default_factory=Counter)
    spellings: NumberSpellings = field(default_factory=NumberSpellings)
    rounded: RoundedIds = field(default_factory=RoundedIds)


def to_text(
    column: pl.Series, rules: ValueRules = DEFAULT_RULES, *, verbatim: bool = False
) -> pl.Series:
    """Categories as text: the same text for the same value in a file, a frame or a request.

    Whole numbers are digits ("3.0", 3.0 and "3e0" are "3"), decimals have no zeros behind them,
    there is no exponent and no negative zero; true, false and infinities are in lower case; dates
    are ISO 8601, and so are times of day and moments, in UTC with a T and no needless zeros. A
    moment without a zone is one of UTC, and midnight is its date. Text of another form is itself,
    without the spaces around it. Missing values and blank text are null.

    Args:
        verbatim: text is itself, but for missing values and the spaces around it.

    Raises:
        InputError: the column holds lists, records, bytes or durations, or dates of no calendar.

    >>> to_text(pl.Series("shop", [3.0, 2.5, None, float("nan"), -0.0, 1e20])).to_list()
    ['3', '2.5', None, None, '0', '100000000000000000000']
    >>> to_text(pl.Series("shop", ["3.00", "2.50", "007", " TRUE", "N/A", "1.5e3"])).to_list()
    ['3', '2.5', '007', 'true', None, '1500']
    >>> to_text(pl.Series("at", ["2026-01-05 10:00:00+02:00", "2026-01-05T00:00"])).to_list()
    ['2026-01-05T08:00:00', '2026-01-05']
    """
    return read_text(column, rules, verbatim=verbatim).text


def read_text(
    column: pl.Series, rules: ValueRules = DEFAULT_RULES, *, verbatim: bool = False
) -> ReadText:
    """`to_text`, with what is odd about the column.

    Raises:
        InputError: as `to_text`.
    """
    if rules.earlier:
        return ReadText(earlier_text(column))
    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    if kind == pl.String:
        return _of_text(column, rules, verbatim)
    read = ReadText(_of_values(column))
    if kind.is_float():
        read.rounded.add(column)
    read.text = _without_tokens(read.text, rules)
    return read


def _of_values(column: pl.Series) -> pl.Series:
    """Text of a column that holds no text."""
    kind = column.dtype
    if kind.is_integer() or kind in (pl.Boolean, pl.Null):
        return column.cast(pl.String)
    if kind.is_float():
        return _of_floats(column)
    if kind.is_decimal():
        return without_zeros(column.cast(pl.String))
    if kind == pl.Time:
        return without_zeros_behind_seconds(column.dt.to_string("%H:%M:%S%.f"))
    if isinstance(kind, pl.Date | pl.Datetime):
        _require_years(column)
        if isinstance(kind, pl.Date):
            return column.cast(pl.String)
        if kind.time_zone is not None:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return shortest_moments(column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f"))
    raise InputError(f"column {column.name!r} {not_one_value(kind, column.name)}")


def _require_years(column: pl.Series) -> None:
    """Refuse dates that no calendar has, such as the "infinity" of PostgreSQL.

    Raises:
        InputError: a date is before the year 1 or after 9999.
    """
    days = column.to_physical() // _PER_DAY.get(getattr(column.dtype, "time_unit", ""), 1)
    outside = days.filter((days < _FIRST_DAY) | (days > _LAST_DAY))
    if len(outside):
        raise InputError(
            f"column {column.name!r} has {len(outside):,} dates before the year 1 or after 9999: "
            "make them missing, or cast the column to text"
        )


def _of_floats(column: pl.Series) -> pl.Series:
    """Of a whole number all its digits, of another the fewest that tell it from its neighbours."""
    column = column.fill_nan(None)
    if column.dtype == pl.Float16():  # polars writes such without their fraction
        return _of_halves(column)
    whole = ((column.floor() == column) & (column.abs() < _WHOLE_LIMIT)).fill_null(True)
    digits = column.set(~whole, None).cast(pl.Int64).cast(pl.String)
    if bool(whole.all()):
        return digits
    others = column.filter(~whole)
    text = others.cast(pl.String)
    odd = text.str.contains("e|inf") | (others.abs() >= _WHOLE_LIMIT)
    if bool(odd.any()):  # no type of polars has their digits
        written = text.filter(odd).unique()
        plain = pl.Series([plain_float(one) for one in written.to_list()], dtype=pl.String)
        text = _replaced(text, odd, written, plain)
    return _placed(digits, ~whole, text)


def _of_halves(column: pl.Series) -> pl.Series:
    distinct = column.unique().drop_nulls()
    values = distinct.cast(pl.Float64).to_numpy().astype(np.float16)
    written = [
        str(int(value))
        if value == np.floor(value) and np.isfinite(value)
        else np.format_float_positional(value, trim="-")
        for value in values
    ]
    text = without_zeros(pl.Series(written, dtype=pl.String))
    return column.replace_strict(distinct, text, default=None, return_dtype=pl.String)


def _of_text(column: pl.Series, rules: ValueRules, verbatim: bool) -> ReadText:
    candidate = candidates(column, rules, verbatim)
    if not bool(candidate.any()):
        return ReadText(column)
    raw = column.filter(candidate)
    distinct = raw.unique()
    bare = distinct.str.strip_chars()
    text = bare.set(((bare == "") | bare.is_in(list(rules.texts))).fill_null(False), None)
    read = ReadText(column)
    if not verbatim:
        values = value_texts(text, rules.decimal)
        _add_spellings(read.spellings, column, raw, bare, values)
        _add_rounded(read.rounded, raw, distinct, bare)
        text = _without_tokens(values, rules)
    read.text = _replaced(column, candidate, distinct, text)
    looks = bare.is_in(list(rules.suspicious))
    if bool(looks.any()):
        rows = raw.filter(raw.is_in(distinct.filter(looks).to_list()))
        read.like_missing = Counter(rows.str.strip_chars().to_list())
    return read


def _add_spellings(
    spellings: NumberSpellings, column: pl.Series, raw: pl.Series, bare: pl.Series, value: pl.Series
) -> None:
    """Take in decimals and exponents, and the digits that an exponent may be confused with."""
    exponents = bare.str.contains(r"^-?\d[\d.,]*[eE][+-]?\d+$") & (bare != value)
    several = exponents | (value.str.contains(r"^-?\d+\.\d+$") & bare.str.contains("[.,]"))
    if not bool(several.any()):
        return
    numbers = dict(
        zip(bare.filter(several).to_list(), value.filter(several).to_list(), strict=True)
    )
    plain = {number: number for number in value.filter(exponents.fill_null(False)).to_list()}
    texts = raw.str.strip_chars()
    counted = texts.filter(texts.is_in(list(numbers))).value_counts()
    if plain:
        digits = column.filter(column.is_in(list(plain)).fill_null(False))
        counted = pl.concat([counted, digits.rename(texts.name).value_counts()])
    numbers |= plain
    written = counted[texts.name].to_list()
    spellings.add(written, [numbers[text] for text in written], counted["count"].to_list())


def _add_rounded(rounded: RoundedIds, raw: pl.Series, distinct: pl.Series, bare: pl.Series) -> None:
    """Take in numbers that were written with an exponent because they were floats."""
    written = bare.str.contains(r"^-?\d\.\d+[eE]\+?\d")
    if bool(written.any()):
        rows = raw.filter(raw.is_in(distinct.filter(written.fill_null(False)).to_list()))
        rounded.add(rows.str.strip_chars().cast(pl.Float64, strict=False))


def _without_tokens(text: pl.Series, rules: ValueRules) -> pl.Series:
    """Without those missing values that are written as a number, a date or so."""
    missing = missing_values(rules)
    return text.set(text.is_in(missing).fill_null(False), None) if missing else text


def _replaced(column: pl.Series, where: pl.Series, old: pl.Series, new: pl.Series) -> pl.Series:
    """The column with each value of `old` replaced by that of `new`, in the rows `where`."""
    rows = column.filter(where)
    known = pl.LazyFrame({"old": old, "new": new})
    asked = pl.LazyFrame({"old": rows})
    found = asked.join(known, on="old", how="left", maintain_order="left").collect()["new"]
    return _placed(column, where, found)


def _placed(column: pl.Series, where: pl.Series, values: pl.Series) -> pl.Series:
    """The column with `values`, one after the other, in the rows `where`."""
    places = np.arange(len(column), dtype=np.uint32)
    rows = where.to_numpy()
    places[rows] = len(column) + np.arange(len(values), dtype=np.uint32)
    both = pl.concat([column, values.rename(column.name)])
    return both.gather(pl.Series(places)).rename(column.name)
