"""Times of every representation, beside Python's own datetime."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.times import DATES, KINDS, ORDINAL, time_text, to_time
from postclick.data.read.values.value_rules import ValueRules
from postclick.errors import InputError

MOMENTS = [
    *(datetime(2026, 1, 5, 13, 30, 7, 250_000), datetime(1999, 12, 31, 23, 59, 59)),
    *(datetime(2024, 2, 29), datetime(2031, 7, 1, 0, 0, 0, 1000)),
]


def micros(moment: datetime) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return float((aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))


def epoch(per_second: int) -> list[int]:
    return [int(micros(m)) * per_second // 1_000_000 for m in MOMENTS]


def iso(text: str) -> list[str]:
    return [m.strftime(text) for m in MOMENTS]


COLUMNS: dict[str, tuple[Any, str]] = {
    "datetime us": (pl.Series(MOMENTS, dtype=pl.Datetime("us")), "dates"),
    "datetime ms": (pl.Series(MOMENTS, dtype=pl.Datetime("ms")), "dates"),
    "datetime ns": (pl.Series(MOMENTS, dtype=pl.Datetime("ns")), "dates"),
    "in Berlin": (
        pl.Series(MOMENTS).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
        "dates",
    ),
    "pandas": (pl.from_pandas(pd.Series(MOMENTS)), "dates"),
    "pandas in Tokyo": (
        pl.from_pandas(pd.Series(MOMENTS).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")),
        "dates",
    ),
    "text with T": (pl.Series(iso("%Y-%m-%dT%H:%M:%S.%f")), "dates"),
    "text with a space": (pl.Series(iso(" %Y-%m-%d %H:%M:%S.%f ")), "dates"),
    "text with Z": (pl.Series(iso("%Y-%m-%dT%H:%M:%S.%fZ")), "dates"),
    "text in UTC": (pl.Series(iso("%Y-%m-%d %H:%M:%S.%f UTC")), "dates"),
    "text, nanoseconds": (pl.Series(iso("%Y-%m-%dT%H:%M:%S.%f999+00:00")), "dates"),
    "text, milliseconds": (pl.Series([t[:-3] for t in iso("%Y-%m-%dT%H:%M:%S,%f")]), "dates"),
    "categories": (pl.Series(iso("%Y-%m-%dT%H:%M:%S.%f"), dtype=pl.Categorical), "dates"),
    "milliseconds": (pl.Series(epoch(1000)), "epoch milliseconds"),
    "microseconds": (pl.Series(epoch(10**6)), "epoch microseconds"),
    "nanoseconds": (pl.Series(epoch(10**9)), "epoch nanoseconds"),
    "nanoseconds as text": (pl.Series(list(map(str, epoch(10**9)))), "epoch nanoseconds"),
    "nanoseconds, unsigned": (pl.Series(epoch(10**9), dtype=pl.UInt64), "epoch nanoseconds"),
    "nanoseconds as floats": (pl.Series(epoch(10**9)).cast(pl.Float64), "epoch nanoseconds"),
    "seconds as floats": (pl.Series([micros(m) / 1e6 for m in MOMENTS]), "epoch seconds"),
    "seconds as text": (pl.Series([f"{micros(m) / 1e6:.6f}" for m in MOMENTS]), "epoch seconds"),
    "decimals": (pl.Series([Decimal(int(micros(m))) / 10**6 for m in MOMENTS]), "epoch seconds"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_moment_is_the_same_however_it_is_written(name: str) -> None:
    column, kind = COLUMNS[name]
    found = to_time(column)
    assert found.time.to_list() == list(map(micros, MOMENTS))
    assert [KINDS[k] for k in found.kind] == [kind] * len(MOMENTS)
    assert found.unreadable.rows == 0
    # Beside missing values and other rows.
    again = to_time(pl.concat([column.clear(1), column, column.clear(2)]).alias("t"))
    assert again.time.to_list() == [None, *found.time, None, None]
    assert again.kind.to_list() == [0, *found.kind, 0, 0]
    assert again.unreadable.rows == 0


def test_whole_seconds_and_days() -> None:
    days = [date(2026, 1, 5), date(1969, 12, 31)]
    wanted = [micros(datetime(d.year, d.month, d.day)) for d in days]
    for column in (pl.Series(days), pl.Series(list(map(str, days)))):
        assert to_time(column).time.to_list() == wanted
    seconds = pl.Series([1_700_000_000, None], dtype=pl.Int32)
    assert to_time(seconds).time.to_list() == [1.7e15, None]
    assert to_time(pl.Series(["2026-01-05 13:30"])).time[0] == micros(datetime(2026, 1, 5, 13, 30))


@given(
    st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.sampled_from(["T", " "]),
    st.sampled_from(["minutes", "seconds", "milliseconds", "microseconds"]),
)
def test_offsets_as_python_reads_them(
    moment: datetime, minutes: int, between: str, spec: str
) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    text = zoned.isoformat(sep=between, timespec=spec)
    expected = micros(datetime.fromisoformat(text))
    forms = [text, text[:-6] + text[-6:].replace(":", "")]
    forms += [text[:-3]] if minutes % 60 == 0 else []
    forms += [text[:-6] + "Z"] if minutes == 0 else []
    found = to_time(pl.Series(forms))
    assert found.time.to_list() == [expected] * len(forms)
    assert set(found.kind) == {DATES}


@pytest.mark.parametrize(
    "text",
    [
        *("03/04/2026", "3/4/2026", "31/12/2026", "05.01.2026", "05-01-2026", "Jan 5 2026"),
        *("5 January 2026", "2026-1-5", "2026-02-30", "2026-13-01", "2026-01-05 24:00:00"),
        *("2026-01-05T13:60:00", "2026-01-05 13", "2026/01/05", "20260105T133000", "26-01-05"),
        *("2026-W01-1", "2026-01-05T13:30:00+24:00", "2026-01-05 13:30:00 CET", "13:30:00"),
        *("2026-01-05 01:30:00 PM", "soon", "inf", "-inf", "1e999", "0x10", "1_000", "٢٠٢٦-01-05"),
    ],
)
def test_what_is_neither_iso_nor_a_number_is_refused(text: str) -> None:
    column = pl.Series("t", ["2026-01-05", text, "1700000000"])
    found = to_time(column)
    assert (found.time[1], found.kind[1]) == (None, 0)
    assert (found.unreadable.rows, found.unreadable.examples) == (1, (repr(text),))
    assert [found.time[0], found.time[2]] == [micros(datetime(2026, 1, 5)), 1.7e15]


@pytest.mark.parametrize("text", ["", "  ", "NA", "NaT", "null", "None", "nan"])
def test_missing_texts(text: str) -> None:
    found = to_time(pl.Series([text]))
    assert (found.time[0], found.kind[0], found.unreadable.rows) == (None, 0, 0)


def test_values_that_the_schema_calls_missing() -> None:
    rules = ValueRules(missing=("-1", "0", "never", "0000-00-00", "1970-01-01"))
    texts = ["-1", "-1.0", "0", "Never", "0000-00-00", "1970-01-01", "1700000000"]
    found = to_time(pl.Series(texts), rules)
    assert found.kind.to_list() == [0] * 6 + [KINDS.index("epoch seconds")]
    assert found.unreadable.rows == 0
    numbers = to_time(pl.Series([-1, 0, 1_700_000_000]), rules)
    assert (numbers.time.to_list(), numbers.unreadable.rows) == ([None, None, 1.7e15], 0)
    assert to_time(pl.Series(["never", "soon"])).unreadable.rows == 2


def test_missing_and_infinite_numbers() -> None:
    found = to_time(pl.Series([float("nan"), float("inf"), None, 5.0]))
    assert found.time.to_list() == [None, None, None, 5.0]
    assert found.unreadable.examples == ("inf",)
    times = pl.from_pandas(pd.Series([pd.NaT, pd.Timestamp("2026-01-05")]))
    assert to_time(times).kind.to_list() == [0, DATES]
    assert to_time(pl.Series([None, None])).kind.to_list() == [0, 0]
    assert to_time(pl.Series([], dtype=pl.String)).time.to_list() == []


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        *((0, "ordinals"), (-5, "ordinals"), (99_999_999, "ordinals"), (2.5, "ordinals")),
        *((100_000_000, "epoch seconds"), (99_999_999_999, "epoch seconds")),
        *((100_000_000_000, "epoch milliseconds"), (99_999_999_999_999, "epoch milliseconds")),
        *((10**14, "epoch microseconds"), (10**17 - 10**4, "epoch microseconds")),
        *((10**17 + 10**3, "epoch nanoseconds"), (2**63 - 1, "epoch nanoseconds")),
        *((1e21, "ordinals"), (20260105, "ordinals"), (14102100, "ordinals")),
        *((2026010513, "ordinals"), (202601051330, "ordinals"), (20260105133059, "ordinals")),
        *((2026010524, "epoch seconds"), (2026013200, "epoch seconds")),
        *((202601051360, "epoch milliseconds"), (2026010513.5, "epoch seconds")),
        *((1_767_619_800, "epoch seconds"), (1_767_619_800_000, "epoch milliseconds")),
    ],
)
def test_what_a_number_is(number: float, kind: str) -> None:
    columns = [pl.Series([number]), pl.Series([str(number)])]
    for column in columns if number == 2**63 - 1 else [*columns, pl.Series([float(number)])]:
        found = to_time(column)
        assert KINDS[found.kind[0]] == kind
        if kind == "ordinals":
            assert found.time[0] == number


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(-(10**9), 10**9), min_size=1))
def test_numbers_row_by_row(numbers: list[int]) -> None:
    """The time of a row depends on no other row."""
    whole = to_time(pl.Series(numbers, dtype=pl.Int64))
    one = [to_time(pl.Series([n], dtype=pl.Int64)) for n in numbers]
    assert whole.time.to_list() == [t.time[0] for t in one]
    assert whole.kind.to_list() == [t.kind[0] for t in one]
    text = to_time(pl.Series(list(map(str, numbers))))
    assert text.time.equals(whole.time)
    assert text.kind.equals(whole.kind)


def test_hours_as_numbers_compare_rightly() -> None:
    hours = [datetime(2014, 10, 21) + timedelta(hours=h) for h in range(2000)]
    for pattern in ("%y%m%d%H", "%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S"):
        found = to_time(pl.Series([int(h.strftime(pattern)) for h in hours]))
        assert set(found.kind) == {ORDINAL}
        assert bool((np.diff(found.time.to_numpy()) >= 0).all())


@pytest.mark.parametrize(
    "column",
    [
        *(pl.Series("t", [[1]]), pl.Series("t", [{"a": 1}]), pl.Series("t", [b"1"])),
        *(pl.Series("t", [timedelta(1)]), pl.Series("t", [datetime(2026, 1, 1).time()])),
    ],
)
def test_what_is_no_moment(column: pl.Series) -> None:
    with pytest.raises(InputError, match=r"time column 't' holds .*, not moments"):
        to_time(column)


def test_times_for_a_reader() -> None:
    assert time_text(micros(MOMENTS[0]), DATES) == "2026-01-05 13:30:07.250000"
    assert time_text(2.5, ORDINAL) == "2.5"
    assert time_text(1e19, DATES) == "1e+19 microseconds"


SPELLINGS = tuple(
    day + hour + second + zone
    for day in ("2026-01-05T", "2026-01-05t", "2026-01-05 ")
    for hour in ("10:00", "23:59", "25:00", "10:61")
    for second in ("", ":07", ":07.5", ":07,5", ":60", ":07,")
    for zone in ("", "Z", "z", " UTC", "+02:00", "-0230", "+25:00", "x")
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_categories_take_for_a_moment_just_what_times_do(text: str) -> None:
    time = to_time(pl.Series([text])).time[0]
    category = to_text(pl.Series([text]))
    if time is None:
        assert category[0] == text
        return
    assert micros(datetime.fromisoformat(category[0])) == time
    assert to_text(category)[0] == category[0]


def test_times_of_day_have_a_comma_before_fractions_too() -> None:
    clocks = pl.Series(["10:00:00,5", "10:00:00.50", "10:00:00,0", "25:00:00,5"])
    assert to_text(clocks).to_list() == ["10:00:00.5", "10:00:00.5", "10:00:00", "25:00:00,5"]
