"""What `check` finds in labels and columns."""

import numpy as np
import polars as pl
import pytest

from helpers.checked import ROWS, check, log, only
from postclick.data.check.findings import Funnel
from postclick.errors import InputError


def test_a_clean_log_has_no_findings() -> None:
    frame = log()
    report = check(frame, log(seed=1))
    assert report.findings == ()
    assert report.funnel["train"] == Funnel(ROWS, frame["click"].sum(), frame["buy"].sum())
    assert list(report.funnel) == ["train", "test"]
    assert report.funnel["train"].cvr == frame["buy"].sum() / frame["click"].sum()
    report.raise_errors()


def test_conversion_without_click() -> None:
    frame = log()
    bad = int(((frame["click"] == 0) & (pl.Series(range(ROWS)) < 100)).sum())
    frame = frame.with_columns(
        buy=pl.when(pl.col("click") == 0, pl.int_range(ROWS) < 100).then(1).otherwise("buy")
    )
    finding = only(check(frame), "conversion-without-click")
    assert (finding.severity, finding.rows, finding.column) == ("error", bad, "buy")
    with pytest.raises(InputError, match=f"{bad} of 4,000 rows"):
        check(frame).raise_errors()
    dropped = check(frame, policy="drop")
    assert only(dropped, "conversion-without-click").severity == "warning"
    assert dropped.funnel["train"].rows == ROWS - bad
    kept = check(frame, policy="keep")
    assert "recorded as 0" in only(kept, "conversion-without-click").message
    assert kept.funnel["train"] == Funnel(ROWS, frame["click"].sum(), frame["buy"].sum() - bad)


def test_labels_that_are_not_binary() -> None:
    frame = log().with_columns(
        click=pl.when(pl.int_range(ROWS) < 3).then(pl.int_range(ROWS) + 2).otherwise("click")
    )
    for policy, severity in (("error", "error"), ("drop", "warning"), ("keep", "error")):
        finding = only(check(frame, policy=policy), "label-not-binary")
        assert (finding.severity, finding.rows, finding.column) == (severity, 3, "click")
        assert "found 2, 3, 4" in finding.message
    assert check(frame, policy="drop").funnel["train"].rows == ROWS - 3


def test_missing_and_extra_columns() -> None:
    report = check(log().drop("price"), log())
    finding = only(report, "missing-column")
    assert (finding.severity, finding.column) == ("error", "price")
    assert finding.message.startswith("train: no column 'price'")
    assert report.funnel == {}
    extra = check(log().with_columns(b=1, c=2), ignore=["c"])
    assert only(extra, "extra-column").column == "b"
    assert only(extra, "extra-column").severity == "info"


def test_truth_may_be_in_one_split_only() -> None:
    truth = {"ctr": "p"}
    both = check(log(), log().with_columns(p=0.5), truth=truth)
    assert only(both, "no-truth-column").message.startswith("train:")
    neither = check(log(), log(), truth=truth)
    assert {f.code for f in neither.errors} == {"missing-column"}
    outside = check(log().with_columns(p=pl.int_range(ROWS) / ROWS * 1.5), truth=truth)
    assert only(outside, "truth-out-of-range").severity == "error"
    assert only(outside, "truth-out-of-range").rows == int(np.sum(np.arange(ROWS) / ROWS * 1.5 > 1))


def test_constant_and_equal_columns() -> None:
    frame = log().with_columns(one=pl.lit("x"), none=pl.lit(None, pl.String), again=pl.col("shop"))
    frame = frame.with_columns(cost=pl.col("price"), almost=pl.col("shop"))
    frame = frame.with_columns(
        almost=pl.when(pl.int_range(ROWS) == ROWS - 1).then(pl.lit("z")).otherwise("almost")
    )
    names = ["shop", "one", "none", "again", "almost"]
    report = check(frame, categorical=names, numeric=["price", "cost"])
    assert only(report, "constant-column").column == "one"
    assert only(report, "mostly-missing").column == "none"
    equal = {f.column for f in report.findings if f.code == "duplicated-column"}
    assert equal == {"again", "cost"}
    assert len([f for f in report.findings if f.code == "duplicated-column"]) == 2


def test_a_column_that_vanishes_in_test() -> None:
    gone = log().with_columns(price=pl.lit(None, pl.Float64))
    finding = only(check(log(), gone), "mostly-missing")
    assert finding.message.startswith("test: column 'price' is missing in 4,000 of 4,000 rows")
    assert "0.0% in train" in finding.message


def test_unreadable_and_infinite_numbers() -> None:
    texts = log()["price"].cast(pl.String).set(pl.Series(np.arange(ROWS) < 2), "ten")
    frame = log().with_columns(price=texts.set(pl.Series(np.arange(ROWS) == 5), "inf"))
    report = check(frame)
    finding = only(report, "unreadable-number")
    assert (finding.severity, finding.column, finding.rows) == ("error", "price", 2)
    assert "'ten'" in finding.message
    assert only(report, "infinite-number").severity == "warning"


@pytest.mark.parametrize(
    ("click", "buy", "code"),
    [
        ([0] * 200, [0] * 200, "no-clicks"),
        ([0, 1] * 100, [0] * 200, "no-conversions"),
        ([1] * 200, [0, 1] * 100, "no-unclicked-rows"),
    ],
)
def test_nothing_to_learn_from(click: list[int], buy: list[int], code: str) -> None:
    frame = log(200).with_columns(click=pl.Series(click), buy=pl.Series(buy))
    assert only(check(frame), code).severity == "error"
    good = log()
    assert only(check(good, frame), code).severity == "warning"
    assert only(check(good, frame), code).message.startswith("test:")


def test_few_conversions_are_a_warning() -> None:
    report = check(log(200))
    assert only(report, "few-clicks" if report.funnel["train"].clicks < 100 else "few-conversions")
    assert only(report, "few-conversions").severity == "warning"
    assert only(report, "leakage-not-judged").severity == "info"
    assert only(check(log(0)), "no-rows").severity == "error"
