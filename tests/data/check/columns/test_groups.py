"""Findings on the group column."""

import numpy as np
import polars as pl
import pytest

from helpers.checked import ROWS, check, codes, log, only
from postclick.data.check.columns.groups import GroupCounts
from postclick.data.check.splits import overlap
from postclick.data.read.values.group_hash import read_group, text_hash


def test_groups_are_counted_in_each_split() -> None:
    train = log().with_columns(user=pl.int_range(ROWS) // 4)
    test = log(seed=1).with_columns(user=pl.int_range(ROWS) % 3)
    report = check(train, test, group="user")
    told = [f for f in report.findings if f.code == "groups"]
    assert [f.severity for f in told] == ["info", "info"]
    assert [f.message.split(":")[0] for f in told] == ["train", "test"]
    assert f"{ROWS // 4:,} groups by 'user', 4 rows in each on average" in told[0].message
    assert "3 groups by 'user'" in told[1].message
    assert "groups" not in codes(check(train, test))
    assert not codes(report) & {"missing-group", "constant-group", "single-row-groups"}


def test_rows_without_a_group() -> None:
    user = pl.when(pl.int_range(ROWS) % 10 > 0).then(pl.int_range(ROWS) // 4)
    finding = only(check(log().with_columns(user=user), group="user"), "missing-group")
    assert (finding.severity, finding.column, finding.rows) == ("warning", "user", ROWS // 10)
    none = check(log().with_columns(user=pl.lit(None, dtype=pl.String)), group="user")
    assert only(none, "missing-group").rows == ROWS
    assert "groups" not in codes(none)


def test_one_group_is_told() -> None:
    finding = only(check(log().with_columns(user=pl.lit("u")), group="user"), "constant-group")
    assert (finding.severity, finding.rows) == ("warning", ROWS)
    assert "name a column of users or requests under group" in finding.message


def test_a_group_of_its_own_in_every_row_is_told() -> None:
    finding = only(
        check(log().with_columns(user=pl.int_range(ROWS)), group="user"), "single-row-groups"
    )
    assert (finding.severity, finding.rows) == ("warning", ROWS)
    two = pl.when(pl.int_range(ROWS) == 1).then(0).otherwise(pl.int_range(ROWS))
    assert "single-row-groups" not in codes(check(log().with_columns(user=two), group="user"))


def test_a_group_is_no_feature_to_the_leak_checks() -> None:
    leak = log().with_columns(user=pl.col("buy") * 2 + pl.col("click"))
    assert "outcome-leakage" not in codes(check(leak, group="user"))


def test_many_groups_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = text_hash(read_group(pl.Series(np.arange(60_000) // 3)).text)
    exact = GroupCounts()
    for chunk in np.split(hashes, 7 * [0] + [1000, 1001, 50_000]):
        exact.add(chunk)
    assert (exact.rows, exact.missing, exact.groups(), exact.largest()) == (60_000, 0, 20_000, 3)
    monkeypatch.setattr(overlap.KeySketch.__init__, "__defaults__", (500,))
    about = GroupCounts()
    about.add(hashes)
    assert about.largest() == 3
    assert 17_000 < about.groups() < 23_000
