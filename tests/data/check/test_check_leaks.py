"""Columns that tell the conversion."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from helpers.checked import ROWS, check, codes, log, only
from postclick.data.check import leakage
from postclick.data.check.check_log import check_log
from postclick.data.check.findings import Funnel
from postclick.data.check.leakage import grouped_auc
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema


def with_leak(name: str) -> pl.DataFrame:
    """A log with a feature `leak` that gives a label away."""
    rng = np.random.default_rng(5)
    frame = log()
    click, buy = frame["click"].to_numpy(), frame["buy"].to_numpy()
    noise = rng.random(ROWS)
    leak: Any = {
        "spend": np.where(buy == 1, 10 * noise + 1, 0),
        "negative": np.where(click == 1, -noise, noise),
        "not monotone": np.where(click == 1, np.where(noise < 0.5, 0, 9) + noise, 4 + noise),
        "missing": pl.Series(noise).set(pl.Series(buy == 0), None),
        "word": np.where(
            buy == 1, rng.choice(["paid", "sent"], ROWS), rng.choice(["x", "y"], ROWS)
        ),
        "missing word": pl.Series(rng.choice(["x", "y"], ROWS)).set(pl.Series(click == 0), None),
    }[name]
    return frame.with_columns(leak=pl.Series(leak))


@pytest.mark.parametrize("name", ["spend", "negative", "not monotone", "missing"])
def test_numbers_that_leak(name: str) -> None:
    finding = only(check(with_leak(name), numeric=["price", "leak"]), "outcome-leakage")
    assert (finding.column, finding.severity) == ("leak", "error")
    assert "AUC" in finding.message


@pytest.mark.parametrize("name", ["word", "missing word"])
def test_categories_that_leak(name: str) -> None:
    report = check(with_leak(name), categorical=["shop", "leak"])
    assert only(report, "outcome-leakage").column == "leak"


def test_lists_that_leak() -> None:
    frame = log()
    clicked = frame["click"].to_numpy() == 1
    rng = np.random.default_rng(1)
    full = pl.Series("full", [["x"] if c else [] for c in clicked])
    other = ["seen"]
    word = pl.Series(
        "word",
        [
            [str(k), "clicked"] if c else [str(k), *other]
            for k, c in zip(rng.integers(0, 9, ROWS), clicked, strict=True)
        ],
    )
    fine = pl.Series("fine", [[str(k), str(k % 3)] for k in rng.integers(0, 9, ROWS)])
    report = check(frame.with_columns(full, word, fine), multi=["full", "word", "fine"])
    assert {f.column for f in report.findings if f.code == "outcome-leakage"} == {"full", "word"}


def test_values_that_leak_for_a_part_of_the_positives() -> None:
    rng = np.random.default_rng(2)
    frame = log(20_000)
    coupon = np.where((frame["buy"].to_numpy() == 1) & (rng.random(20_000) < 0.3), "used", "none")
    finding = only(
        check(frame.with_columns(leak=pl.Series(coupon)), categorical=["leak"]), "outcome-leakage"
    )
    assert finding.severity == "warning"
    assert "has values that only rows with" in finding.message


def test_ids_and_good_features_are_no_leaks() -> None:
    rng = np.random.default_rng(3)
    rows = 20_000
    quality = rng.normal(size=rows)
    click = rng.random(rows) < 1 / (1 + np.exp(-2 * quality))
    buy = click & (rng.random(rows) < 1 / (1 + np.exp(1 - quality)))
    frame = pl.DataFrame(
        {
            "click": click.astype(int),
            "buy": buy.astype(int),
            "shop": np.arange(rows),  # its own value in every row
            "session": np.arange(rows) // 2,
            "user": rng.integers(0, 3000, rows),
            "price": quality,
        }
    )
    report = check(frame, categorical=["shop", "session", "user"])
    assert "outcome-leakage" not in codes(report)


def test_a_sample_of_a_large_log_still_shows_the_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "UNCLICKED_ROWS", 500)
    monkeypatch.setattr(leakage, "CLICKED_ROWS", 400)
    monkeypatch.setattr(leakage, "CONVERTED_ROWS", 300)
    finding = only(check(with_leak("spend"), numeric=["price", "leak"]), "outcome-leakage")
    assert "judged on a sample of 1,200 rows" in finding.message
    assert "outcome-leakage" not in codes(check(log()))


def test_spend_of_hillstrom_leaks(shared_data: Path) -> None:
    schema = LogSchema.parse(
        {
            "click": "visit",
            "conversion": "conversion",
            "categorical": ["history_segment", "mens", "womens", "zip_code", "newbie", "channel"],
            "numeric": ["recency", "history", "spend"],
            "ignore": ["segment"],
        }
    )
    report = check_log(schema, open_log(shared_data / "hillstrom" / "hillstrom.csv"))
    assert report.funnel["train"] == Funnel(64_000, 9_394, 578)
    assert [(f.code, f.column) for f in report.findings] == [("outcome-leakage", "spend")]
    assert report.errors


def test_the_report_does_not_change() -> None:
    frame = with_leak("spend").with_columns(again=pl.col("shop"))
    reports = [check(frame, log(seed=2), numeric=["price", "leak"], key="shop") for _ in range(2)]
    assert reports[0] == reports[1]
    assert [f.severity for f in reports[0].findings] == sorted(
        (f.severity for f in reports[0].findings), key=["error", "warning", "info"].index
    )


def test_grouped_auc_is_the_weighted_auc() -> None:
    rng = np.random.default_rng(0)
    groups, label, weight = rng.integers(0, 9, 300), rng.random(300) < 0.4, rng.random(300)
    score = np.round(rng.random(9), 1)  # with ties
    positive = np.bincount(groups, weight * label, minlength=9)
    negative = np.bincount(groups, weight * ~label, minlength=9)
    expected = roc_auc_score(label, score[groups], sample_weight=weight)
    assert grouped_auc(score, positive, negative) == pytest.approx(expected, abs=1e-12)
    assert grouped_auc(score, positive, 0 * negative) == 0.5
