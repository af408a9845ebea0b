"""The ways to write one value as text: numbers, true and false, moments; and the one we write."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache, partial

import polars as pl

from postclick.data.read.values.moment_form import CLOCK, DATE, MOMENT, OFFSET
from postclick.data.read.values.moment_form import UTC as UTC_FORM
from postclick.data.read.values.value_rules import ValueRules

# Digits alone are written right already, and digits with zeros before them, such as a postal
# code, are no number. The mantissa of an exponent has one digit before the point, as programs
# write it: codes such as 12e4 are none.
_DECIMAL = r"-?(?:(?:0|[1-9]\d*)POINT\d*|POINT\d+)|-0"
_EXPONENT = r"-?(?:[1-9](?:POINT\d+)?[eE][+-]?\d{1,3}|0(?:POINT0+)?[eE][+-]?0{1,3})"
_WORD = r"(?i:true|false|[+-]?inf(?:inity)?)"

# Tokens up to which one pattern finds all; larger ones take longer than a set, or do not compile.
PATTERN_TOKENS = 64
# Canonical text that has, or may have, other spellings.
VALUE = rf"^(?:-?\d+(?:\.\d+)?|true|false|-?inf|\d{{4}}-\d\d-\d\d.*|{CLOCK}|\d\d:\d\d:\d\d)$"


def _numbers(decimal: str) -> str:
    return f"{_DECIMAL}|{_EXPONENT}".replace("POINT", re.escape(decimal))


def candidates(text: pl.Series, rules: ValueRules, verbatim: bool) -> pl.Series:
    """Which texts need a second look: the others are canonical, null or not."""
    tokens = (*rules.texts, *rules.suspicious)
    if not verbatim:  # 1 is missing where 1.0 is
        tokens += missing_values(rules)
    if len(tokens) <= PATTERN_TOKENS:
        return text.str.contains(_candidates(rules, verbatim, tokens)).fill_null(False)
    found = text.str.contains(_candidates(rules, verbatim, ())) | text.is_in(list(tokens))
    return found.fill_null(False)


@lru_cache(maxsize=64)
def _candidates(rules: ValueRules, verbatim: bool, words: tuple[str, ...]) -> str:
    """A pattern of texts with spaces around them, `words`, and forms of values."""
    tokens = [re.escape(token) for token in words]
    forms = [] if verbatim else [_numbers(rules.decimal), _WORD, MOMENT, CLOCK]
    return rf"^(?:{'|'.join([*tokens, *forms])})?$|^\s|\s$"


@lru_cache(maxsize=64)
def missing_values(rules: ValueRules) -> tuple[str, ...]:
    """The missing values that are written as a number, a date or so, in canonical text.

    >>> missing_values(ValueRules(missing=("-1.0", "?", "2026-01-01T00:00")))
    ('-1', '2026-01-01')
    """
    tokens = [token for token in rules.texts if is_value(token)]
    return tuple(value_texts(pl.Series(tokens, dtype=pl.String), rules.decimal).to_list())


def is_value(text: str) -> bool:
    """Whether a text is written as a value of another type, however it is spelled.

    >>> [is_value(text) for text in ("-1", "1.50", "True", "n/a", "007")]
    [True, True, True, False, False]
    """
    forms = (r"-?(?:0|[1-9]\d*)", _numbers("."), _numbers(","), _WORD, DATE, MOMENT, CLOCK)
    return re.fullmatch("|".join(f"(?:{form})" for form in forms), text) is not None


def value_texts(text: pl.Series, decimal: str = ".") -> pl.Series:
    """The values that texts without spaces around them write; other texts are themselves.

    >>> value_texts(pl.Series(["2.50", "1e3", "-0.0", "INF", "2026-01-05 10:00Z"])).to_list()
    ['2.5', '1000', '0', 'inf', '2026-01-05T10:00:00']
    """
    text = _changed(text, _WORD, _words)
    text = _changed(text, MOMENT, _moments)
    text = _changed(text, CLOCK, _clocks)
    return _changed(text, _numbers(decimal), partial(_digits, decimal=decimal))


def without_zeros(text: pl.Series) -> pl.Series:
    """Plain decimals without needless zeros: "2.50" is "2.5", "-0.0" is "0", ".5" is "0.5"."""
    text = text.str.replace(r"^(-?)\.", "${1}0.")
    text = text.str.replace(r"^(-?\d+)\.0*$", "${1}")
    text = text.str.replace(r"^(-?\d+\.\d*?[1-9])0+$", "${1}")
    return text.str.replace(r"^-0$", "0")


def without_zeros_behind_seconds(text: pl.Series) -> pl.Series:
    """Times of day and moments without needless zeros in the fraction of a second."""
    return text.str.replace(r"(\.\d*?)0+$", "${1}").str.replace(r"\.$", "")


def shortest_moments(text: pl.Series) -> pl.Series:
    """Moments written with a T and seconds, without needless zeros; midnight is its date."""
    return without_zeros_behind_seconds(text).str.replace(r"T00:00:00$", "")


def plain_float(text: str) -> str:
    """What a float with an exponent is without one: of a whole number all its digits.

    Of another the fewest digits that tell it from its neighbours, however many are written.

    >>> plain_float("1.5e+20"), plain_float("5e-07"), plain_float("1.00000000000000006e-01")
    ('150000000000000000000', '0.0000005', '0.1')
    """
    number = float(text)
    if math.isinf(number):
        return text
    return str(int(number)) if number.is_integer() else format(Decimal(repr(number)), "f")


def _changed(text: pl.Series, form: str, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The texts, those of a form changed."""
    matched = text.str.contains(f"^(?:{form})$").fill_null(False)
    if not bool(matched.any()):
        return text
    if bool(matched.all()):
        return change(text)
    rows = matched.arg_true()
    return text.clone().scatter(rows, change(text.filter(matched)))


def _words(text: pl.Series) -> pl.Series:
    return text.str.to_lowercase().str.replace("infinity", "inf").str.strip_prefix("+")


def _digits(text: pl.Series, decimal: str) -> pl.Series:
    if decimal != ".":
        text = text.str.replace(decimal, ".", literal=True)
    exponents = text.str.contains("e|E")
    if bool(exponents.any()):
        written = text.filter(exponents).to_list()
        # Of a number that is too large for a float the text is the name of something.
        plain = [one if math.isinf(float(one)) else plain_float(one) for one in written]
        text = text.clone().scatter(exponents.arg_true(), pl.Series(plain))
    return without_zeros(text)


def _clocks(text: pl.Series) -> pl.Series:
    return without_zeros_behind_seconds(text.str.replace(",", ".", literal=True))


def _moments(text: pl.Series) -> pl.Series:
    text = text.str.replace(",", ".", literal=True)
    text = text.str.replace("^(.{10})[t ]", "${1}T").str.replace(UTC_FORM + "$", "")
    text = text.str.replace(r"^(.{10}T\d\d:\d\d)($|[ +\-])", "${1}:00${2}")
    away = text.str.contains(OFFSET + "$")
    if bool(away.any()):
        text = text.clone().scatter(
            away.arg_true(), pl.Series([_in_utc(t) for t in text.filter(away)])
        )
    return shortest_moments(text)


def _in_utc(text: str) -> str:
    """A moment with an offset from UTC, such as 2026-01-05T10:00:00+02:00; no moment is itself."""
    match = re.fullmatch(r"(.{19})(\.\d+)? ?([+-]\d\d):?(\d\d)?", text)
    if match is None:
        return text
    seconds, fraction, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{seconds}{hours}:{minutes or '00'}").astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + (fraction or "")
