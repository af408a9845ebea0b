"""Raw logs and options that a run is not judged on, and rows that are left out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from helpers.raw_logs import SCHEMA, assert_same, log_of
from postclick import evaluate, prepare
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.errors import InputError
from postclick.runs.run import Run

MISSING: dict[str, tuple[Callable[[pl.DataFrame], Any], str]] = {
    "click": (
        lambda later: later.drop("click").rename({"paid": "Click"}),
        r"^frame: no column 'click' \(did you mean 'Click'\?\), the click of the run's schema; it "
        r"has user, .*: give a log that has it, or score the rows without judging them",
    ),
    "conversion": (lambda later: later.drop("paid"), "no column 'paid', the conversion of the"),
    "weight": (lambda later: later.drop("stands_for"), "no column 'stands_for', the weight of"),
    "feature": (lambda later: later.drop("shop"), "frame: no column 'shop'.*correct the"),
    "rows": (lambda later: later.head(0), "frame: no rows: give a log with rows"),
    "number": (
        lambda later: later.with_columns(price=pl.lit("dear")),
        "frame: column 'price': 1,500 values are not numbers.*'dear'",
    ),
    "weights": (
        lambda later: later.with_columns(stands_for=-pl.col("stands_for")),
        r"weight 'stands_for' is no number from 0 to .* found -",
    ),
    "file": (lambda _: "nowhere.parquet", "nowhere.parquet"),
    "truth": (
        lambda later: later.with_columns(p=pl.lit(2.0)),
        r"column 'p': 1,500 values are outside \[0, 1\]",
    ),
}


def broken(later: pl.DataFrame) -> pl.DataFrame:
    """Ten conversions without a click, and five rows without a label."""
    number = pl.int_range(pl.len())
    return later.with_columns(
        paid=pl.when(number < 10).then(5.0).otherwise("paid"),
        click=pl.when(number < 10)
        .then(0)
        .when(number >= pl.len() - 5)
        .then(None)
        .otherwise("click"),
    )


def test_rows_that_break_the_funnel_are_dealt_with_as_in_prepare(
    run: Run, later: pl.DataFrame, tmp_path: Path
) -> None:
    bad = broken(later)
    with pytest.raises(InputError, match=r"frame: label 'click' is not 0 or 1 in 5 of 1,500 rows"):
        run.evaluate(bad)
    with pytest.raises(InputError, match="label 'click' is not 0 or 1"):
        run.evaluate(bad, on_bad_rows="keep")
    dropped = run.evaluate(bad, on_bad_rows="drop")
    assert dropped.about["left_out"] == 15
    assert_same(dropped, run.evaluate(bad.slice(10, 1_485)))
    assert "those rows are left out" in dropped.about["notes"][0]
    clickless = bad.head(1_495)
    message = r"10 of 1,495 rows .* without a click .*or judge with .*on_bad_rows=\"keep\""
    with pytest.raises(InputError, match=message):
        run.evaluate(clickless)
    found = run.evaluate(clickless, on_bad_rows="keep")
    assert (found.about["left_out"], found.about["rows"]) == (0, 1_495)
    kept = clickless.with_columns(paid=pl.when(click=0).then(0.0).otherwise("paid"))
    assert_same(found, run.evaluate(kept))
    splits = LogSplits(SCHEMA, FrameSource(log_of(3_000, 0)), FrameSource(bad))
    again = prepare(splits, tmp_path / "data", on_bad_rows="drop").split("test")
    assert again.rows == dropped.about["rows"]
    assert (again.clicks, again.conversions) == tuple(
        dropped.about[name] for name in ("clicks", "conversions")
    )


@pytest.mark.parametrize("case", MISSING)
def test_what_a_log_lacks_is_one_line(run: Run, later: pl.DataFrame, case: str) -> None:
    change, message = MISSING[case]
    with pytest.raises(InputError, match=message) as told:
        run.evaluate(change(later))
    assert "\n" not in str(told.value)


def test_options_that_do_not_go_together_are_refused(
    run: Run, log: PreparedLog, later: pl.DataFrame
) -> None:
    cases: list[tuple[Callable[[], Any], str]] = [
        (lambda: evaluate(run), "give one log to judge on"),
        (lambda: evaluate(run, log, log=later), "give one log to judge on"),
        (lambda: evaluate(run, log=log.folder), "is a prepared log: give it as the run's data"),
        (lambda: run.evaluate(later, "valid"), "a raw log has no splits.*leave split"),
        (lambda: run.evaluate(later, keep_predictions=True), "no predictions of it are kept"),
        (lambda: run.evaluate(log, name="x"), "are for raw logs"),
        (lambda: run.evaluate(later, on_bad_rows="dropp"), "did you mean 'drop'"),  # type: ignore[arg-type]
        (lambda: run.evaluate(later, by="history"), "has several values for each impression"),
        (lambda: run.evaluate(later, by="paid"), "'paid' is an outcome"),
        (lambda: run.evaluate(later, by="shopp"), "no column 'shopp' .did you mean 'shop'"),
        (lambda: run.evaluate(later, read=["decimals=,"]), "expected KEY=VALUE"),
    ]
    for call, message in cases:
        with pytest.raises(InputError, match=message):
            call()
