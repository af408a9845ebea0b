"""Findings on the time column of one log, and of train and test together."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.checked import ROWS, check, codes, log, only

START = 1_767_225_600
SECONDS = pl.Series("at", START + np.arange(ROWS))
LATER = pl.Series("at", START + ROWS + np.arange(ROWS))


def dates(seconds: pl.Series) -> pl.Series:
    return pl.from_epoch(seconds).dt.strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("train", "test", "says"),
    [
        (SECONDS, LATER * 1000, "train 4,000 epoch seconds; test 4,000 epoch milliseconds"),
        (dates(SECONDS), LATER, "train 4,000 dates; test 4,000 epoch seconds"),
        (SECONDS % 1000, dates(LATER), "train 4,000 ordinals; test 4,000 dates"),
    ],
)
def test_two_logs_of_different_kinds(train: pl.Series, test: pl.Series, says: str) -> None:
    report = check(log().with_columns(train), log(seed=1).with_columns(test), time="at")
    finding = only(report, "mixed-times")
    assert (finding.severity, finding.rows, finding.column) == ("warning", ROWS, "at")
    assert says in finding.message
    assert ("cannot be compared" in finding.message) == ("ordinals" in says)
    assert "time-overlap" not in codes(report)


@pytest.mark.parametrize("test", [LATER, LATER.cast(pl.Float64), LATER.cast(pl.String)])
def test_one_kind_in_two_types(test: pl.Series) -> None:
    train = log().with_columns(SECONDS.cast(pl.Int32))
    assert not codes(check(train, log(seed=1).with_columns(test), time="at")) & {
        "mixed-times",
        "time-overlap",
        "unreadable-time",
    }
    days = pl.from_epoch(LATER).cast(pl.Datetime("ns", "UTC"))
    report = check(log().with_columns(dates(SECONDS)), log().with_columns(days), time="at")
    assert not codes(report) & {"mixed-times", "time-overlap"}


def test_units_are_compared_as_moments() -> None:
    """Milliseconds that are earlier are told, though their numbers are larger."""
    train = log().with_columns(LATER)
    early = log(seed=1).with_columns(SECONDS * 1000)
    report = check(train, early, time="at")
    assert only(report, "time-overlap").rows == ROWS
    assert "mixed-times" in codes(report)


def test_two_kinds_in_one_column() -> None:
    texts = dates(SECONDS).to_list()
    some = pl.Series("at", [str(START + k) if k < 7 else t for k, t in enumerate(texts)])
    finding = only(check(log().with_columns(some), time="at"), "mixed-times")
    assert finding.rows == 7
    assert "train 7 epoch seconds, 3,993 dates" in finding.message


@pytest.mark.parametrize("value", ["03/04/2026", "31.12.2026", "Jan 5 2026"])
def test_what_is_no_time(value: Any) -> None:
    column = dates(SECONDS).set(pl.Series(np.arange(ROWS) < 3), value)
    finding = only(check(log().with_columns(column), time="at"), "unreadable-time")
    assert (finding.severity, finding.rows) == ("warning", 3)
    assert f"(such as '{value}')" in finding.message


def test_groups_of_train_in_test() -> None:
    train = log().with_columns(user=pl.int_range(ROWS) % 100)
    test = log(seed=1).with_columns(user=pl.int_range(ROWS) % 50 + 75)
    finding = only(check(train, test, group="user"), "group-overlap")
    assert (finding.severity, finding.rows) == ("info", ROWS // 2)
    assert "2,000 of 4,000 rows (50 %) are of groups ('user') that train has too" in finding.message
    assert "use a log of other groups" in finding.message
    apart = test.with_columns(pl.col("user") + 100)
    assert "group-overlap" not in codes(check(train, apart, group="user"))
