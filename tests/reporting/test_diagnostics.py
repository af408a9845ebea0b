"""diagnostics.json: the same figures as computed straight from predictions and labels."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.comparison.diagnostics import DIAGNOSTICS, diagnose
from postclick.judging.labels import split_labels
from postclick.logits import sigmoid
from postclick.metrics.auc import auc
from postclick.runs.run import Run
from postclick.stats.delong import auc_difference
from postclick.system.files import read_json


def read(folder: Path, place: str) -> tuple[np.ndarray, np.ndarray]:
    kept = pl.read_parquet(folder / place / "predictions" / "test.parquet")
    return kept["ctr_logit"].to_numpy(), kept["cvr_logit"].to_numpy()


def test_curves_are_those_of_the_first_seed(with_truth: Path, small_log: PreparedLog) -> None:
    found, labels = read_json(with_truth / DIAGNOSTICS), split_labels(small_log, "test")
    c, v = labels.click, labels.conversion
    assert (found["rows"], found["clicks"], found["conversions"]) == (c.size, c.sum(), v.sum())
    for protocol in ("fixed", "tuned"):
        curves = found["protocols"][protocol]["methods"]["escm2_ipw"]
        assert [place.split("/")[-1] for place in curves["runs"]] == ["seed-0", "seed-1", "seed-2"]
        zp, zq = read(with_truth, curves["runs"][0])
        roc = curves["roc_cvr"]
        area = np.trapezoid(roc["tpr"], roc["fpr"])
        assert area == pytest.approx(auc(zq[c], v[c]), abs=2e-3)
        pcoc = curves["pcoc_own"]
        assert sum(pcoc["rows"]) == c.sum()
        lowest = c & (sigmoid(zp) <= pcoc["high"][0] * (1 + 1e-5))
        assert lowest.sum() == pcoc["rows"][0]
        ratio = sigmoid(zq)[lowest].sum() / v[lowest].sum()
        assert pcoc["pcoc"][0] == pytest.approx(ratio, rel=1e-5)


def test_common_buckets_hold_the_same_rows_for_all(with_truth: Path) -> None:
    methods = read_json(with_truth / DIAGNOSTICS)["protocols"]["tuned"]["methods"]
    kept = {
        json.dumps([curves["pcoc_reference"][key] for key in ("low", "high", "rows", "observed")])
        for curves in methods.values()
    }
    own = {json.dumps(curves["pcoc_own"]["high"]) for curves in methods.values()}
    assert len(kept) == 1 and len(own) == len(methods)


def test_differences_use_every_seed(with_truth: Path, small_log: PreparedLog) -> None:
    labels = split_labels(small_log, "test")
    part = read_json(with_truth / DIAGNOSTICS)["protocols"]["fixed"]
    best = part["differences"]["best"]

    def scores(method: str) -> list[np.ndarray]:
        return [read(with_truth, p)[1][labels.click] for p in part["methods"][method]["runs"]]

    assert set(part["differences"]["methods"]) == set(part["methods"]) - {best}
    for method, found in part["differences"]["methods"].items():
        wanted = auc_difference(scores(method), scores(best), labels.conversion[labels.click])
        assert found["difference"] == pytest.approx(wanted.difference)
        assert (found["low"], found["high"]) == pytest.approx((wanted.low, wanted.high))
        assert found["difference"] <= 0


def test_truth_is_compared_with_all_rows(with_truth: Path, small_log: PreparedLog) -> None:
    found, labels = read_json(with_truth / DIAGNOSTICS), split_labels(small_log, "test")
    curves = found["protocols"]["fixed"]["methods"]["naive"]
    assert (found["truth"], found["propensity"]) == ("true_cvr", "true CTR")
    bias = curves["bias_by_propensity"]
    assert sum(bias["rows"]) == labels.click.size
    assert bias["high"][-1] == pytest.approx(labels.truth["true_ctr"].max(), rel=1e-5)
    weighted = np.dot(bias["observed"], bias["rows"]) / labels.click.size
    assert weighted == pytest.approx(labels.truth["true_cvr"].mean(), rel=1e-4)
    halves = curves["true_calibration"]
    rows = sum(halves["clicked"]["rows"]), sum(halves["unclicked"]["rows"])
    assert rows == (labels.click.sum(), (~labels.click).sum())


def test_weights_of_methods_with_propensities(with_truth: Path, small_log: PreparedLog) -> None:
    methods = read_json(with_truth / DIAGNOSTICS)["protocols"]["fixed"]["methods"]
    assert methods["naive"]["overlap"]["clip"] is None
    assert methods["naive"]["overlap"]["effective_sample_size"] is None
    overlap, labels = methods["escm2_ipw"]["overlap"], split_labels(small_log, "test")
    pctr = sigmoid(read(with_truth, methods["escm2_ipw"]["runs"][0])[0])
    weight = 1 / pctr[labels.click].clip(*overlap["clip"])
    wanted = weight.sum() ** 2 / (weight**2).sum()
    assert overlap["effective_sample_size"] == pytest.approx(wanted)
    assert overlap["clip_share"] == np.mean((pctr < 0.01) | (pctr > 0.99))
    for kind in ("clicked", "unclicked"):
        assert sum(overlap[kind]) == pytest.approx(1, abs=1e-4)


def test_without_truth_there_are_no_true_curves(without_truth: Path) -> None:
    found = read_json(without_truth / DIAGNOSTICS)
    assert (found["truth"], found["propensity"]) == (None, "reference pCTR")
    assert "bias_by_propensity" not in found["protocols"]["fixed"]["methods"]["esmm"]


def test_pctcvr_of_its_own_is_used(without_truth: Path, recorded_log: PreparedLog) -> None:
    place, labels = "runs/esmm/seed-0", split_labels(recorded_log, "test")
    path = without_truth / place / "predictions" / "test.parquet"
    before = pl.read_parquet(path)
    right = np.where(labels.conversion, -0.1, -3.0).astype(np.float32)
    try:
        before.with_columns(log_ctcvr=pl.Series(right)).write_parquet(path)
        places = {"fixed": {"esmm": [place]}}
        found = diagnose(recorded_log, "test", without_truth, places)["protocols"]["fixed"]
    finally:
        before.write_parquet(path)
    assert found["methods"]["esmm"]["roc_ctcvr"]["tpr"][1] == 1.0
    assert found["differences"]["methods"] == {}


def test_one_class_of_labels_leaves_curves_out(
    without_truth: Path, recorded_log: PreparedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = split_labels(recorded_log, "test")
    labels.conversion[:] = False
    monkeypatch.setattr(
        "postclick.experiments.comparison.diagnostics.split_labels", lambda *_: labels
    )
    places = {"fixed": {"esmm": ["runs/esmm/seed-0"], "escm2_ipw": ["runs/escm2_ipw/seed-0"]}}
    part = diagnose(recorded_log, "test", without_truth, places)["protocols"]["fixed"]
    curves = part["methods"]["esmm"]
    assert curves["roc_cvr"] is None and curves["roc_ctcvr"] is None
    assert set(curves["pcoc_own"]["pcoc"]) == {None}
    assert part["differences"]["best"] is None
    assert part["differences"]["undefined"].startswith("0 of 496 clicked rows converted")


def test_predictions_must_have_been_kept(without_truth: Path, recorded_log: PreparedLog) -> None:
    Run(without_truth / "runs/esmm/seed-0").predictions("test")
    with pytest.raises(InputError, match="predictions are kept by compare"):
        diagnose(recorded_log, "valid", without_truth, {"fixed": {"esmm": ["runs/esmm/seed-0"]}})
