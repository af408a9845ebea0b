"""What a column looks like as numbers: which texts are none, what stands far from the rest."""

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.check.columns.id_like import Floats, is_skewed, look_like_ids
from postclick.data.read.values.numbers import to_number
from postclick.data.read.values.value_rules import ValueRules

MIN_SHARE = 0.5  # of the values, which have to be numbers
MAX_TOKENS = 5  # different texts that may mean that there is no number
MIN_REPEATS = 3  # of a number that stands for none
MAX_DATE = 1e17  # yyyyMMddHHmmssSSS
FAR = 10.0  # times the span of the others between a number and the nearest of them
TELLING = re.compile(r"-?9{2,}")
_DIGIT = r"\d"


@dataclass(frozen=True)
class Numbers:
    """A column's values as numbers.

    Attributes:
        rows: those that are numbers.
        distinct: different numbers.
        whole: whether none has a fraction.
        above: rows in which it is above 0.
        low, high: the smallest and the largest, `sentinels` left out.
        skewed: never negative, and a few far above the others.
        ids: whole, and many different ones beyond 2^31.
        years: whether they write dates, such as 20260105 or 2026010512.
        known: rows of each text that counts as a missing number by the rules.
        odd: rows of each other text.
        infinite: rows.
        sentinels: rows of each number that may mean that there is none.
        codes: whether some have zeros in front, as postal codes.
    """

    rows: int
    distinct: int
    above: int
    whole: bool
    low: float
    high: float
    skewed: bool
    ids: bool
    years: bool
    known: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)
    infinite: int = 0
    sentinels: dict[str, int] = field(default_factory=dict)
    codes: bool = False

    @property
    def tokens(self) -> bool:
        """Whether the odd texts look like missing values: few, repeated, without a digit."""
        few = 0 < len(self.odd) <= MAX_TOKENS and min(self.odd.values()) >= 2
        return few and not any(re.search(_DIGIT, text) for text in self.odd)


def read_numbers(column: pl.Series, text: pl.Series, rules: ValueRules) -> Numbers | None:
    """The numbers of a column, or None where fewer than half of its values are numbers.

    Args:
        column: raw, not nested and not temporal.
        text: its values as canonical text.

    >>> raw = pl.Series(["1.5", "2", "NA", "-", "NA", "ten", "3"])
    >>> found = read_numbers(raw, raw, ValueRules())
    >>> found.rows, dict(found.known), dict(found.odd), found.tokens
    (3, {'NA': 2, '-': 1}, {'ten': 1}, False)
    """
    number, _, infinite = to_number(column, rules)
    values = number.drop_nulls().to_numpy()
    lost = text.filter(number.is_null() & text.is_not_null()).str.strip_chars()
    if infinite.rows:
        lost = lost.filter(~lost.is_in(["inf", "-inf"]))
    known = rules.is_no_number(lost).fill_null(False)
    odd = lost.filter(~known)
    if len(values) == 0 or len(values) < MIN_SHARE * (len(values) + len(odd)):
        return None
    different, counts = np.unique(values, return_counts=True)
    whole = bool((different % 1 == 0).all())
    sentinels, inside = find_sentinels(different, counts)
    rest, repeats = different[inside], counts[inside]
    codes = column.dtype == pl.String and bool(text.str.contains(r"^0\d").any())
    return Numbers(
        rows=len(values),
        distinct=int(text.n_unique() - (text.null_count() > 0) - lost.n_unique()),
        above=int((values > 0).sum()),
        whole=whole,
        low=float(rest[0]),
        high=float(rest[-1]),
        skewed=is_skewed(np.repeat(rest, repeats)),
        ids=whole and look_like_ids(different),
        years=whole and _are_dates(rest),
        known=Counter(lost.filter(known).to_list()),
        odd=Counter(odd.to_list()),
        infinite=infinite.rows,
        sentinels=sentinels,
        codes=codes,
    )


def find_sentinels(
    different: Floats, counts: npt.NDArray[np.int64]
) -> tuple[dict[str, int], slice]:
    """Repeated numbers at either end that may mean "no value", and where the others are.

    -1 is one if no other number is negative, -999 and 9999 if they are apart from the others, and
    any other number if it is very far from them.

    >>> find_sentinels(np.array([-999.0, 1.0, 2.0, 3.0, 7.0]), np.array([9, 5, 5, 5, 5]))
    ({'-999': 9}, slice(1, 5, None))
    """
    first, last = 0, len(different)
    found: dict[str, int] = {}
    for _ in range(2):
        for low in (True, False):
            if last - first < 4:
                continue
            at, inner = (first, slice(first + 1, last)) if low else (last - 1, slice(first, -1))
            inner = slice(inner.start, last if low else last - 1)
            value, rest = different[at], different[inner]
            if counts[at] < MIN_REPEATS or not _is_apart(float(value), rest):
                continue
            found[_as_written(float(value))] = int(counts[at])
            first, last = inner.start, inner.stop
    return found, slice(first, last)


def _is_apart(value: float, rest: Floats) -> bool:
    if value == -1:
        return bool(rest[0] >= 0)
    span = float(rest[-1] - rest[0])
    gap = float(min(abs(value - rest[0]), abs(value - rest[-1])))
    return gap > (1.0 if TELLING.fullmatch(_as_written(value)) else FAR) * span


def _as_written(value: float) -> str:
    return str(int(value)) if value % 1 == 0 and abs(value) < 1e15 else repr(value)


def _are_dates(different: Floats) -> bool:
    """Whether whole numbers are YYYYMMDD, with hours, minutes and so on, or YYMMDDHH."""
    if np.abs(different).max() > MAX_DATE:
        return False
    text = pl.Series(different[:1000].astype(np.int64)).cast(pl.String)
    month, day, hour = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])", r"(?:[01]\d|2[0-3])"
    full = rf"(?:19|20)\d\d{month}{day}(?:{hour}(?:[0-5]\d){{0,2}}\d{{0,3}})?"
    return bool(text.str.contains(rf"^(?:{full}|[0-4]\d{month}{day}{hour})$").all())
