"""Predictions that are missing where nobody clicked: judged on clicked rows, and said so."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from helpers.predictions import figures, predictions
from postclick import InputError, judge

CLICKED = pl.col("click") == 1
OPTIONS: dict[str, Any] = {
    "group": "user", "by": ["shop"], "propensity": "pctr", "true_cvr": "true", "resamples": 40,
}  # fmt: skip


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    return predictions(1200, seed=2)


def only(condition: pl.Expr, *columns: str, value: Any = None) -> list[pl.Expr]:
    return [pl.when(condition).then(c).otherwise(pl.lit(value)).alias(c) for c in columns]


@pytest.mark.parametrize("value", [None, float("nan")])
def test_clicked_figures_stay_and_the_others_are_left_out(log: pl.DataFrame, value: Any) -> None:
    whole = figures(judge(log, **OPTIONS))
    judged = judge(log.with_columns(only(CLICKED, "pcvr_a", value=value)), **OPTIONS)
    part = figures(judged)
    assert part == {key: whole[key] for key in part}
    gone = {key for key in whole if key not in part}
    # All that needs pCVR of every row; pCTR and the other model keep all of theirs.
    assert gone == {
        (model, metric, space)
        for model, metric, space in whole
        if model == "a" and space != "clicked" and not metric.startswith("ctr_")
    }
    unclicked = log.filter(~CLICKED).height
    told = f"pCVR of a on {unclicked:,} of {unclicked:,}; figures over all impressions"
    assert sum(told in one for one in judged.findings) == 1
    assert judged.entire is not None
    assert list(judged.entire["models"]) == ["b"]
    assert {one.quantity for one in judged.segments if one.model == "a"} == {"ctr", "cvr"}


def test_chunks_with_and_without_are_one_log(
    log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered = log.sort("shop")
    part = ordered.with_columns(only(CLICKED | (pl.col("shop") != "dan"), "pcvr_a"))
    at_once = figures(judge(part, true_cvr="true", resamples=40))
    monkeypatch.setattr("postclick.data.read.chunks.CHUNK_ROWS", 100)
    assert figures(judge(part, true_cvr="true", resamples=40)) == at_once
    assert ("a", "true_cvr_auc", "clicked") in at_once
    assert ("a", "true_cvr_auc", "entire") not in at_once


def test_an_empty_cell(log: pl.DataFrame, tmp_path: Path) -> None:
    part = log.with_columns(only(CLICKED, "pcvr_a", "pcvr_b"))
    part.write_csv(tmp_path / "log.csv")
    judged = judge(tmp_path / "log.csv", resamples=40)
    assert figures(judged) == figures(judge(part, resamples=40))
    assert judged.value("a", "ctcvr_auc") is None
    assert judged.value("a", "cvr_auc") is not None


def test_ctcvr_that_is_missing_too(log: pl.DataFrame) -> None:
    both = log.with_columns(pctcvr_a=pl.col("pctr_a") * pl.col("pcvr_a"))
    whole = judge(both, resamples=40)
    judged = judge(both.with_columns(only(CLICKED, "pcvr_a", "pctcvr_a")), resamples=40)
    assert judged.value("a", "cvr_auc") == whole.value("a", "cvr_auc")
    assert judged.figure("a", "ctcvr_auc") is None
    # pCVR follows from the two others, where they are.
    two = both.drop("pcvr_a").with_columns(only(CLICKED, "pctcvr_a"))
    judged = judge(two, resamples=40)
    assert judged.value("a", "cvr_nll") == pytest.approx(whole.value("a", "cvr_nll"))
    assert judged.figure("a", "ctcvr_auc") is None
    # Where pCTCVR is known of every row, it is judged.
    given = judge(both.with_columns(only(CLICKED, "pcvr_a")), resamples=40)
    assert given.value("a", "ctcvr_auc") == whole.value("a", "ctcvr_auc")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (only(~CLICKED, "pcvr_a"), "'pcvr_a' (model 'a')"),
        (only(CLICKED, "pctr_a"), "'pctr_a' (model 'a')"),
        (only(CLICKED, "pcvr_a", value=1.5), "divide percents by 100"),
        (
            [pl.when(CLICKED).then(pl.col("pcvr_a").cast(pl.String)).otherwise(pl.lit("none?"))
             .alias("pcvr_a")],
            "('none?')",
        ),
    ],
)  # fmt: skip
def test_what_stays_an_error(log: pl.DataFrame, change: list[pl.Expr], told: str) -> None:
    with pytest.raises(InputError) as refused:
        judge(log.with_columns(change))
    assert told in str(refused.value)


def test_pctcvr_alone_has_no_figure_on_clicked_rows(log: pl.DataFrame) -> None:
    alone = log.select("click", "conversion", pctcvr=pl.when(CLICKED).then("pcvr_a"))
    with pytest.raises(InputError, match="'pctcvr' .* is no probability"):
        judge(alone)


def test_random_rows_are_judged_by_what_they_have(log: pl.DataFrame) -> None:
    drawn = log.with_columns(drawn=pl.int_range(pl.len()) % 3 == 0)
    whole = judge(drawn, randomised="drawn", **OPTIONS).randomised
    some = drawn.with_columns(only(CLICKED | pl.col("drawn"), "pcvr_a"))
    judged = judge(some, randomised="drawn", **OPTIONS)
    assert judged.figure("a", "ctcvr_auc") is None
    assert whole is not None
    assert judged.randomised is not None
    assert figures(judged.randomised) == figures(whole)
    none = judge(drawn.with_columns(only(CLICKED, "pcvr_a")), randomised="drawn", **OPTIONS)
    assert none.randomised is not None
    assert none.randomised.figure("a", "ctcvr_auc") is None
    assert none.randomised.value("a", "cvr_auc") == whole.value("a", "cvr_auc")
    second = judge(log, randomised_log=log.with_columns(only(CLICKED, "pcvr_a")), **OPTIONS)
    assert second.randomised is not None
    assert second.randomised.figure("a", "ctcvr_auc") is None
    assert any(
        one.startswith("randomised log: missing on impressions without a click: pCVR of a")
        for one in second.findings
    )
