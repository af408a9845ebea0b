"""Studies that compare leaves in its runs."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers.runs import SMALL
from postclick.calibration.calibrator import Calibrator
from postclick.calibration.fit import fit, propensity_weights
from postclick.calibration.reliability import judge_calibrator
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.judging.labels import split_labels
from postclick.reporting.compare import compare
from postclick.runs.calibration_study import STUDY, calibration_study, read_study
from postclick.runs.clicked import Clicked, clicked_logits
from postclick.runs.run import Run
from postclick.system.files import read_json, write_json

ARMS = [("none", "none")] + [
    (kind, weights)
    for weights in ("none", "propensity")
    for kind in ("temperature", "platt", "isotonic")
]


@pytest.fixture(scope="module")
def results(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compare") / "results"
    compare(small_log, ["naive"], out, seeds=2, overrides=SMALL, workers=1, trials=0)
    return out


def test_each_judged_run_has_one(results: Path, small_log: PreparedLog) -> None:
    for seed in range(2):
        run = Run(results / f"runs/naive/seed-{seed}")
        study = read_study(run.folder, "test")
        assert study is not None
        assert [(arm["kind"], arm["weights"]) for arm in study["arms"]] == ARMS
        valid = small_log.split("valid")
        assert (study["clicks"], study["conversions"]) == (valid.clicks, valid.conversions)
        labels = split_labels(small_log, "test")
        logit = run.predictions("test")["cvr_logit"].to_numpy()
        rows = clicked_logits(run, small_log)
        weights = propensity_weights(rows.ctr_logit, (0.01, 0.99))
        for arm in study["arms"]:
            calibrator = Calibrator("none")
            if arm["kind"] != "none":
                w = weights if arm["weights"] == "propensity" else None
                calibrator = fit(arm["kind"], rows.cvr_logit, rows.conversion, w)
            judged = judge_calibrator(calibrator, logit, labels)
            assert arm["judged"]["pcoc"] == pytest.approx(judged.pcoc)
            bias = arm["judged"]["truth"]["entire"]["cvr_bias"]
            assert bias == pytest.approx(judged.truth["entire"].cvr_bias)
            wanted = [one.observed for one in judged.reliability]
            assert arm["judged"]["reliability"]["observed"] == pytest.approx(wanted, rel=1e-5)
        by_arm = dict(zip(ARMS, study["arms"], strict=True))
        recorded = pl.read_parquet(results / "results.parquet").filter(
            (pl.col("seed") == seed) & (pl.col("metric") == "cvr_pcoc")
        )["value"][0]
        assert by_arm["none", "none"]["judged"]["pcoc"] == pytest.approx(recorded)


def test_it_is_in_the_report(results: Path) -> None:
    page = (results / "report.html").read_text(encoding="utf-8")
    assert '<section id="calibration">' in page and "Reliability: naive" in page


def test_it_is_kept_and_made_where_it_is_missing(results: Path, small_log: PreparedLog) -> None:
    first, second = (results / f"runs/naive/seed-{seed}" / STUDY for seed in range(2))
    before = first.read_bytes()
    stamp = second.stat().st_mtime_ns
    first.unlink()
    compare(small_log, ["naive"], results, seeds=2, overrides=SMALL, workers=1, trials=0)
    assert first.read_bytes() == before
    assert second.stat().st_mtime_ns == stamp


def test_validation_is_not_judged_on(small_log: PreparedLog, tmp_path: Path) -> None:
    arguments = {"seeds": 1, "overrides": [*SMALL, "epochs=1"], "workers": 1, "trials": 0}
    compare(small_log, ["naive"], tmp_path / "out", split="valid", **arguments)
    assert not (tmp_path / "out/runs/naive/seed-0" / STUDY).exists()
    assert 'id="calibration"' not in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_what_cannot_be_fitted_is_told(small_log: PreparedLog) -> None:
    labels = split_labels(small_log, "test")
    logit = np.random.default_rng(0).normal(-1, 1, labels.click.size)
    few = Clicked(logit[:50], logit[:50], np.arange(50) < 4, (0.01, 0.99))
    study = calibration_study(few, logit, labels, "test")
    assert "judged" in study["arms"][0]
    for arm in study["arms"][1:]:
        assert "there are 4 and 46" in arm["undefined"] and "judged" not in arm


def test_another_split_or_version_is_no_study(results: Path, tmp_path: Path) -> None:
    study = read_json(results / "runs/naive/seed-0" / STUDY)
    write_json(tmp_path / STUDY, {**study, "format": 99})
    assert read_study(tmp_path, "test") is None
    write_json(tmp_path / STUDY, study)
    assert read_study(tmp_path, "valid") is None
    assert read_study(tmp_path, "test") == study
    (tmp_path / STUDY).write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        read_study(tmp_path, "test")
