"""Intervals over impressions: those of the statistics themselves, on rows read by other means."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers.comparison import write_comparison
from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.intervals import RESAMPLES, over_impressions
from postclick.judging.labels import split_labels
from postclick.stats import auc_interval, bootstrap_difference

RUNS = {m: [f"runs/{m}/seed-{k}" for k in range(2)] for m in ("naive", "esmm")}


@pytest.fixture(scope="module")
def folder(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("intervals")
    write_comparison(out, small_log, list(RUNS), 2, tuned=False, studied=False)
    return out


def logits(folder: Path, method: str) -> list[np.ndarray]:
    return [
        pl.read_parquet(folder / place / "predictions" / "test.parquet")["cvr_logit"].to_numpy()
        for place in RUNS[method]
    ]


def test_figures_of_a_method(folder: Path, small_log: PreparedLog) -> None:
    labels = split_labels(small_log, "test")
    found = over_impressions(labels, "true_cvr", "test", folder, RUNS, "esmm")
    c, v = labels.click, labels.conversion[labels.click]
    for method in RUNS:
        scores = logits(folder, method)
        figures = {(f["metric"], f["space"]): f for f in found["methods"][method]["figures"]}
        auc = auc_interval([z[c] for z in scores], v)
        told = figures["cvr_auc", "clicked"]
        assert (told["value"], told["low"], told["high"]) == (auc.value, auc.low, auc.high)
        for key, name, rows, label in (
            (("cvr_nll", "clicked"), "nll", c, v),
            (("cvr_pcoc", "clicked"), "pcoc", c, v),
            (("true_cvr_nll", "entire"), "nll", slice(None), labels.truth["true_cvr"]),
            (("cvr_bias", "entire"), "bias", slice(None), labels.truth["true_cvr"]),
        ):
            picked = [z[rows] for z in scores]
            wanted = bootstrap_difference(name, picked, picked, label, resamples=RESAMPLES).a
            assert (figures[key]["value"], figures[key]["low"], figures[key]["high"]) == (
                pytest.approx((wanted.value, wanted.low, wanted.high), rel=1e-9)
            )
        assert len(figures) == 5


def test_gain_in_nll_over_the_best(folder: Path, small_log: PreparedLog) -> None:
    labels = split_labels(small_log, "test")
    found = over_impressions(labels, None, "test", folder, RUNS, "esmm")
    c, v = labels.click, labels.conversion[labels.click]
    naive, esmm = ([z[c] for z in logits(folder, m)] for m in ("naive", "esmm"))
    wanted = bootstrap_difference("nll", naive, esmm, v, resamples=RESAMPLES).gain
    assert found["methods"]["naive"]["nll_gain"] == {
        "value": wanted.value,
        "low": wanted.low,
        "high": wanted.high,
    }
    assert found["methods"]["esmm"]["nll_gain"] is None
    spaces = {f["space"] for one in found["methods"].values() for f in one["figures"]}
    assert spaces == {"clicked"}


def test_what_is_undefined_is_left_out(folder: Path, small_log: PreparedLog) -> None:
    labels = split_labels(small_log, "test")
    labels.conversion[:] = False
    found = over_impressions(labels, None, "test", folder, RUNS, None)
    for one in found["methods"].values():
        assert [f["metric"] for f in one["figures"]] == ["cvr_nll"]
        assert one["nll_gain"] is None
    labels.click[:] = False
    found = over_impressions(labels, None, "test", folder, RUNS, None)
    assert all(one["figures"] == [] for one in found["methods"].values())


def test_rows_without_truth_are_left_out(folder: Path, small_log: PreparedLog) -> None:
    labels = split_labels(small_log, "test")
    truth = labels.truth["true_cvr"].copy()
    labels.truth["true_cvr"][:500] = np.nan
    found = over_impressions(labels, "true_cvr", "test", folder, {"naive": RUNS["naive"]}, None)
    bias = {f["metric"]: f["value"] for f in found["methods"]["naive"]["figures"]}["cvr_bias"]
    expected = [
        np.mean(1 / (1 + np.exp(-z[500:].astype(np.float64)))) for z in logits(folder, "naive")
    ]
    assert bias == pytest.approx(np.mean(expected) - truth[500:].mean(dtype=np.float64), rel=1e-6)


def test_groups_of_the_log_are_drawn_whole(folder: Path, small_log: PreparedLog) -> None:
    labels = split_labels(small_log, "test")
    group = np.random.default_rng(0).integers(1, 60, labels.click.size)
    labels = replace(labels, group=group)
    found = over_impressions(labels, "true_cvr", "test", folder, RUNS, "esmm")
    assert found["drawn"] == "groups"
    c, v = labels.click, labels.conversion[labels.click]
    scores = logits(folder, "naive")
    figures = {(f["metric"], f["space"]): f for f in found["methods"]["naive"]["figures"]}
    for key, name, rows, label in (
        (("cvr_nll", "clicked"), "nll", c, v),
        (("cvr_bias", "entire"), "bias", slice(None), labels.truth["true_cvr"]),
    ):
        picked = [z[rows] for z in scores]
        told = {"group": group[rows], "by_group": True, "resamples": RESAMPLES}
        wanted = bootstrap_difference(name, picked, picked, label, **told).a
        assert (figures[key]["low"], figures[key]["high"]) == (
            pytest.approx((wanted.low, wanted.high), rel=1e-9)
        )
    auc = auc_interval([z[c] for z in scores], v, group=group[c])
    told = figures["cvr_auc", "clicked"]
    assert (told["value"], told["low"], told["high"]) == (auc.value, auc.low, auc.high)


def test_weights_are_in_every_interval(folder: Path, small_log: PreparedLog) -> None:
    labels = split_labels(small_log, "test")
    weight = np.random.default_rng(1).lognormal(size=labels.click.size).astype(np.float32)
    found = over_impressions(
        replace(labels, weight=weight), None, "test", folder, {"naive": RUNS["naive"]}, None
    )
    c, v = labels.click, labels.conversion[labels.click]
    scores = [z[c] for z in logits(folder, "naive")]
    auc = auc_interval(scores, v, weight=weight[c])
    told = {f["metric"]: f for f in found["methods"]["naive"]["figures"]}
    assert (told["cvr_auc"]["low"], told["cvr_auc"]["high"]) == (auc.low, auc.high)
    wanted = bootstrap_difference("nll", scores, scores, v, weight=weight[c], resamples=RESAMPLES).a
    assert told["cvr_nll"]["low"] == pytest.approx(wanted.low, rel=1e-9)
