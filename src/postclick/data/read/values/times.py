"""Times of any type as numbers that can be compared, and which kind of time each of them was."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.read.values.bad_values import BadValues
from postclick.data.read.values.moment_form import DATE, MOMENT
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules
from postclick.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# Kinds of times by their number; "ordinals" are numbers that say which is later and no more.
KINDS = (
    *("missing", "ordinals", "epoch seconds", "epoch milliseconds", "epoch microseconds"),
    *("epoch nanoseconds", "dates"),
)
ORDINAL, DATES = KINDS.index("ordinals"), KINDS.index("dates")
# From here on a number is read as epoch seconds (1973 to 5138), milliseconds, and so on.
SCALES = np.array([1e8, 1e11, 1e14, 1e17, 1e20])
DAY = 86_400_000_000  # microseconds
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_ISO = rf"^(?:{DATE}|{MOMENT})$"


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes:
        time: Float64 [n]: microseconds since 1970 (UTC), ordinals as they are, null where there
            is none.
        kind: UInt8 [n]: the number in `KINDS` of how it was written.
        unreadable: values that are neither.
    """

    time: pl.Series
    kind: pl.Series
    unreadable: BadValues


def to_time(column: pl.Series, rules: ValueRules = DEFAULT_RULES) -> Times:
    """Read dates (ISO 8601 as text, or of a date type) and numbers; a naive date is in UTC.

    Text in ISO 8601 is a date, or a date and a time after a T or a space, to the minute, the
    second or a fraction, with Z, UTC or an offset. A number is an epoch in the unit that its
    size tells: seconds from 1e8 (1973), milliseconds from 1e11, microseconds from 1e14,
    nanoseconds from 1e17. Others are ordinals, and so are dates written as one number, such as
    20260105 or 2026010513. Anything else, 03/04/2026 for one, is unreadable: nobody can tell
    whether it is in March or in April. What the rules take for a missing number is no time.

    Raises:
        InputError: the column holds lists, records, durations or times without a date.

    >>> found = to_time(pl.Series("t", ["1970-01-01T00:00:01Z", "1700000000", "03/04/2026", "7"]))
    >>> found.time.to_list(), found.unreadable.examples
    ([1000000.0, 1700000000000000.0, None, 7.0], ("'03/04/2026'",))
    >>> [KINDS[k] for k in found.kind]
    ['dates', 'epoch seconds', 'missing', 'ordinals']
    """
    kind = column.dtype
    nested = kind.is_nested() or kind in (pl.Binary, pl.Object)
    if nested or (kind.is_temporal() and not isinstance(kind, pl.Date | pl.Datetime)):
        raise InputError(
            f"time column {column.name!r} holds {kind}, not moments: name a column of dates or "
            "epochs under time, or take time out of the schema"
        )
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    if kind == pl.String:
        return _of_text(column, rules)
    if isinstance(kind, pl.Date | pl.Datetime):
        micros = _micros(column)
        kinds = np.where(column.is_null().to_numpy(), 0, DATES)
        return _times(micros.cast(pl.Float64).fill_null(np.nan).to_numpy(), kinds, BadValues())
    time, kinds = _of_numbers(column, rules)
    infinite = pl.Series(np.zeros(len(column), dtype=np.bool_))
    if kind.is_float():
        infinite = column.is_infinite().fill_null(False)
    return _times(time, kinds, BadValues.of(column, infinite))


def _times(time: Floats, kinds: npt.NDArray[np.integer], unreadable: BadValues) -> Times:
    series = pl.Series(time, dtype=pl.Float64).fill_nan(None)
    return Times(series, pl.Series(kinds.astype(np.uint8)), unreadable)


def _micros(column: pl.Series) -> pl.Series:
    """Dates as Int64 microseconds since 1970; what has a time zone is in UTC already."""
    unit = column.dtype.time_unit if isinstance(column.dtype, pl.Datetime) else "d"
    number = column.to_physical().cast(pl.Int64)
    if unit == "ns":
        return number // 1000
    return number * {"d": DAY, "ms": 1000, "us": 1}[unit]


def _of_text(column: pl.Series, rules: ValueRules) -> Times:
    text = column.str.strip_chars()
    missing = rules.is_no_number(text).fill_null(True)
    if bool(missing.any()):
        text = text.set(missing, None)
    iso = text.str.contains(_ISO).fill_null(False)
    time, kinds = np.full(len(text), np.nan), np.zeros(len(text), dtype=np.int64)
    if bool(iso.any()):
        every = bool(iso.all())
        micros = _of_iso(text if every else text.filter(iso)).cast(pl.Float64)
        where = np.flatnonzero(iso.to_numpy())
        time[where] = micros.fill_null(np.nan).to_numpy()
        kinds[where] = np.where(micros.is_null().to_numpy(), 0, DATES)
        if every and micros.null_count() == 0:
            return _times(time, kinds, BadValues())
    numeric = text.str.contains(_NUMBER).fill_null(False)
    if bool(numeric.any()):
        some = text.filter(numeric)
        where = np.flatnonzero(numeric.to_numpy())
        time[where], kinds[where] = _of_numbers(some.cast(pl.Float64, strict=False), rules)
        # Whole numbers are read as such: nanoseconds have more digits than a float.
        whole = some.cast(pl.Int64, strict=False)
        exact = whole.is_not_null().to_numpy()
        time[where[exact]], kinds[where[exact]] = _of_numbers(whole.drop_nulls(), rules)
    read = pl.Series(kinds > 0) | text.is_null()
    if rules.numbers:  # of which one may be written in another way than the rules do
        read = read | text.cast(pl.Float64, strict=False).is_in(rules.numbers).fill_null(False)
    return _times(time, kinds, BadValues.of(column, ~read))


def _of_iso(text: pl.Series) -> pl.Series:
    """Text of the form `_ISO` as Int64 microseconds, null where there is no such day."""
    micros = text.str.head(10).str.to_date("%Y-%m-%d", strict=False).cast(pl.Int64) * DAY
    longest = text.str.len_bytes().max()
    if not isinstance(longest, int) or longest == 10:
        return micros
    for start, scale in ((11, 3_600_000_000), (14, 60_000_000)):
        part = text.str.slice(start, 2).cast(pl.Int64, strict=False)
        micros = micros + part.fill_null(0) * scale
    if longest == 16:
        return micros
    rest = text.str.slice(16)  # seconds, fraction, zone
    seconds = rest.str.extract(r"^:(\d\d)").cast(pl.Int64).fill_null(0)
    micros = micros + seconds * 1_000_000
    if bool(rest.str.contains(r"[.,]").any()):
        digits = rest.str.extract(r"[.,](\d+)").str.head(6).str.pad_end(6, "0")
        micros = micros + digits.cast(pl.Int64).fill_null(0)
    zone = rest.str.extract(r"([+-]\d.*)$")
    if zone.null_count() < len(zone):
        digits = zone.str.replace_all(":", "", literal=True)
        hours = digits.str.slice(1, 2).cast(pl.Int64).fill_null(0)
        minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
        sign = pl.Series(np.where(digits.str.starts_with("-").fill_null(False).to_numpy(), -1, 1))
        micros = micros - sign * (hours * 60 + minutes) * 60_000_000
    return micros


def _of_numbers(column: pl.Series, rules: ValueRules) -> tuple[Floats, Ints]:
    """Numbers as times and kinds, NaN and 0 where there is none."""
    if column.dtype.is_integer() and column.dtype not in (pl.UInt64, pl.Int128, pl.UInt128):
        exact: Floats | Ints = column.cast(pl.Int64).fill_null(0).to_numpy()
        value, absent = exact.astype(np.float64), column.is_null().to_numpy()
    else:
        value = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
        exact, absent = value, ~np.isfinite(value)
    # From the first kind, ordinals, to the last epoch; what is beyond is an ordinal again.
    kinds = np.searchsorted(SCALES, value, side="right") + ORDINAL
    kinds[(kinds > ORDINAL + 4) | _calendar_numbers(value)] = ORDINAL
    if rules.numbers:
        absent = absent | np.isin(value, rules.numbers)
    kinds[absent] = 0
    time = np.where(absent, np.nan, value)
    for kind, scale in ((2, 1e6), (3, 1e3)):
        of_kind = kinds == kind
        if of_kind.any():
            time[of_kind] = np.rint(exact[of_kind] * scale)
    nanos = kinds == 5
    if nanos.any():
        found = exact[nanos]
        time[nanos] = found // 1000 if found.dtype == np.int64 else np.rint(found / 1000)
    return time, kinds


def _calendar_numbers(value: Floats) -> npt.NDArray[np.bool_]:
    """Which numbers are dates written as yyyymmddhh, yyyymmddhhmm or yyyymmddhhmmss.

    Seconds from 2033-05-18 on may look like the first; no other epoch of our time does.
    """
    found = np.zeros(len(value), dtype=np.bool_)
    for first, last, below_hours in ((2000, 2099, 0), (1900, 2099, 2), (1900, 2099, 4)):
        scale = 10 ** (6 + below_hours)
        with np.errstate(invalid="ignore"):
            near = (value >= first * scale) & (value < (last + 1) * scale)
        if not near.any():
            continue
        digits = value[near].astype(np.int64)
        rest = digits // 10**below_hours
        good = (value[near] == digits) & (rest % 100 < 24)
        good &= _between(rest // 100 % 100, 1, 31) & _between(rest // 10_000 % 100, 1, 12)
        for place in range(0, below_hours, 2):
            good &= digits // 10**place % 100 < 60
        found[near] = good
    return found


def _between(values: Ints, low: int, high: int) -> npt.NDArray[np.bool_]:
    return (values >= low) & (values <= high)


def time_text(time: float, kind: int) -> str:
    """A time of `Times` for a reader, by the number of its kind.

    >>> time_text(1.7e15, DATES), time_text(20260105.0, ORDINAL)
    ('2023-11-14 22:13:20', '20260105')
    """
    if kind == ORDINAL:
        return f"{time:.15g}"
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)
    except OverflowError:
        return f"{time:.15g} microseconds"
    return moment.replace(tzinfo=None).isoformat(sep=" ")
