"""One value has one text, and different values have different ones."""

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postclick.data.read.values.canonical_text import read_text, to_text
from postclick.data.read.values.value_rules import DEFAULT_MISSING, LIKE_MISSING, ValueRules
from postclick.errors import InputError

BERLIN = timezone(timedelta(hours=2))
# A value as it is written, and in columns of types that hold it.
SPELLINGS: dict[str, list[pl.Series]] = {
    "true": [pl.Series(["True", "TRUE", "true", " true "]), pl.Series([True])],
    "false": [pl.Series(["False", "FALSE"]), pl.Series([False])],
    "3": [
        pl.Series(["3", "3.0", "3.000", "3.", "3e0", "3E+00", " 3 "]),
        *(pl.Series([3], dtype=kind) for kind in (pl.Int8, pl.UInt64, pl.Int128, pl.Float32)),
        pl.Series([3.0]),
        pl.Series([Decimal("3.00")]),
        pl.Series(["3.0"], dtype=pl.Categorical),
    ],
    "0": [pl.Series(["0", "-0", "-0.0", "0.00", "0e0".replace("e0", "")]), pl.Series([-0.0, 0.0])],
    "-17": [pl.Series(["-17", "-17.0", "-1.7e1"]), pl.Series([-17]), pl.Series([-17.0])],
    "2.5": [pl.Series(["2.5", "2.50", "2.5e0"]), pl.Series([2.5]), pl.Series([Decimal("2.500")])],
    "0.1": [pl.Series(["0.1", ".1", "0.10", "1e-1"]), pl.Series([0.1], dtype=pl.Float32)],
    "0.0000005": [pl.Series(["5e-7", "5E-07", "0.0000005"]), pl.Series([5e-7])],
    "9007199254740994": [
        pl.Series(["9007199254740994", "9.007199254740994e15"]),
        pl.Series([9007199254740994]),
        pl.Series([9007199254740994.0]),
    ],
    "100000000000000000000": [
        pl.Series(["1e20", "1E+20", "100000000000000000000"]),
        pl.Series([1e20]),
        pl.Series([10**20], dtype=pl.Int128),
    ],
    "18446744073709551615": [
        pl.Series(["18446744073709551615"]),
        pl.Series([2**64 - 1], dtype=pl.UInt64),
        pl.Series([Decimal(2**64 - 1)]),
    ],
    "inf": [pl.Series(["inf", "Infinity", "+INF"]), pl.Series([float("inf")])],
    "2026-01-05": [
        pl.Series(
            ["2026-01-05", "2026-01-05T00:00:00", "2026-01-05 00:00:00.000", "2026-01-05 00:00Z"]
        ),
        pl.Series([date(2026, 1, 5)]),
        *(
            pl.Series([datetime(2026, 1, 5)], dtype=pl.Datetime(unit))
            for unit in ("ms", "us", "ns")
        ),
    ],
    "2026-01-05T08:30:00": [
        pl.Series(
            [
                "2026-01-05 08:30",
                "2026-01-05T08:30:00",
                "2026-01-05T08:30:00.000Z",
                "2026-01-05 08:30:00 UTC",
                "2026-01-05T10:30:00+02:00",
                "2026-01-05 10:30:00+0200",
                "2026-01-05T10:30+02",
            ]
        ),
        *(
            pl.Series([datetime(2026, 1, 5, 8, 30)], dtype=pl.Datetime(u))
            for u in ("ms", "us", "ns")
        ),
        pl.Series([datetime(2026, 1, 5, 10, 30, tzinfo=BERLIN)]),
        pl.Series([datetime(2026, 1, 5, 8, 30)]).dt.replace_time_zone("UTC"),
    ],
    "2026-01-05T08:30:00.25": [
        pl.Series(
            [
                "2026-01-05 08:30:00.250",
                "2026-01-05T08:30:00.250000Z",
                "2026-01-05T10:30:00.25+02:00",
            ]
        ),
        pl.Series([datetime(2026, 1, 5, 8, 30, 0, 250_000)]),
    ],
    "08:30:00": [pl.Series(["08:30:00", "08:30:00.000"]), pl.Series([time(8, 30)])],
    "08:30:00.5": [pl.Series(["08:30:00.500"]), pl.Series([time(8, 30, 0, 500_000)])],
}
# Text that writes nothing but itself.
NAMES = [
    *("007", "0123.50", "00", "+5", "1_000", "1,5", "12e4", "0x10", "1e", "e5", "1e9999", "1.2.3"),
    *("v1.0", "truely", "T", "yes", "2026-1-5", "03/04/2026", "20260105", "8:30", "shoes, red"),
    *("1e1234", "info", "-", "--0", "٣.0", "über", "a  b", "2026-13-45x"),
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling_of_a_value_is_one_text(text: str) -> None:
    for column in SPELLINGS[text]:
        assert set(to_text(column)) == {text}, column


@pytest.mark.parametrize("name", NAMES)
def test_names_are_themselves(name: str) -> None:
    assert to_text(pl.Series([name, f" {name}\t"])).to_list() == [name, name]


def test_verbatim_text_loses_spaces_and_missing_values_alone() -> None:
    raw = ["10.10", " 10.1", "1e5", "TRUE", "N/A", "", None]
    expected = ["10.10", "10.1", "1e5", "TRUE", None, None, None]
    assert to_text(pl.Series(raw), verbatim=True).to_list() == expected


def test_missing_by_default() -> None:
    assert to_text(pl.Series([*DEFAULT_MISSING, "", "  ", " \\N "])).null_count() == (
        len(DEFAULT_MISSING) + 3
    )
    assert to_text(pl.Series(LIKE_MISSING)).to_list() == list(LIKE_MISSING)


def test_missing_as_the_schema_says() -> None:
    rules = ValueRules(missing=("-1", "?", "2026-01-01"))
    assert to_text(pl.Series(["-1", "-1.0", " ?", "N/A", "", "1"]), rules).to_list() == [
        *(None, None, None, "N/A", None, "1"),
    ]
    for column in (
        pl.Series([-1, 1]),
        pl.Series([-1.0, 1.0]),
        pl.Series([Decimal("-1"), Decimal(1)]),
    ):
        assert to_text(column, rules).to_list() == [None, "1"]
    assert to_text(pl.Series([date(2026, 1, 1)]), rules).to_list() == [None]


@pytest.mark.parametrize("token", ["-1.0", "-1e0", "-1"])
def test_a_missing_number_in_any_writing(token: str) -> None:
    rules = ValueRules(missing=(token,))
    for values in (["-1", "-1.0", "2"], [-1, -1, 2], [-1.0, -1.0, 2.0]):
        assert to_text(pl.Series(values), rules).to_list() == [None, None, "2"]


def test_decimal_commas() -> None:
    rules = ValueRules(decimal=",")
    raw = ["2,50", "-0,0", "1,5e3", "3,", "1.500", "1,2,3", "7"]
    expected = ["2.5", "0", "1500", "3", "1.500", "1,2,3", "7"]
    assert to_text(pl.Series(raw), rules).to_list() == expected


def test_texts_that_look_missing_are_counted() -> None:
    read = read_text(pl.Series(["NA", " NA", "?", "shop", "None"]))
    assert read.like_missing == {"NA": 2, "?": 1}
    assert read.text.to_list() == ["NA", "NA", "?", "shop", None]
    assert read_text(pl.Series(["NA"]), ValueRules(("NA",))).like_missing == {}


@pytest.mark.parametrize(
    ("column", "mend"),
    [
        (pl.Series([[1]]), "list it under multi"),
        (pl.Series([b"a"]), "cast it to text"),
        (pl.Series([{"a": 1}]), "name a field of it"),
        (pl.Series([timedelta(1)]), "cast it to text"),
    ],
)
def test_what_is_no_value(column: pl.Series, mend: str) -> None:
    with pytest.raises(InputError, match=mend):
        to_text(column.alias("x"))


@given(
    st.lists(st.text() | st.from_regex(r"-?\d{0,3}\.?\d{0,3}([eE][+-]?\d{1,3})?", fullmatch=True))
)
def test_canonical_text_is_its_own(values: list[str]) -> None:
    once = to_text(pl.Series(values, dtype=pl.String))
    assert to_text(once).to_list() == once.to_list()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_a_float_and_its_text_agree(values: list[float]) -> None:
    column = pl.Series(values, dtype=pl.Float64)
    written = pl.Series([repr(v) for v in values], dtype=pl.String)
    assert to_text(column).to_list() == to_text(written).to_list()
    numbers: list[Any] = [None if t is None else float(t) for t in to_text(column)]
    assert numbers == values


@given(st.lists(st.decimals(places=3, min_value=-(10**9), max_value=10**9)))
def test_a_decimal_and_its_text_agree(values: list[Decimal]) -> None:
    column = pl.Series(values, dtype=pl.Decimal(30, 3))
    written = pl.Series([str(v) for v in values], dtype=pl.String)
    found = to_text(column).to_list()
    assert found == to_text(written).to_list()
    # Never more values than texts, nor fewer.
    assert len(set(found)) == len(set(values))


@given(st.lists(st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(BERLIN))))
def test_a_moment_and_its_text_agree(values: list[datetime]) -> None:
    column = pl.Series(values, dtype=pl.Datetime("us", "Europe/Berlin") if not values else None)
    for separator in ("T", " "):
        written = pl.Series([v.isoformat(separator) for v in values], dtype=pl.String)
        assert to_text(column).to_list() == to_text(written).to_list()
