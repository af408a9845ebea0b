"""Raw logs of a run with an exposure: judged, calibrated on, with the column and without it."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers import commands
from helpers.exposed_log import SLOTS, converting_by, exposed_frame, exposed_log
from helpers.runs import small_settings
from postclick import calibrate, train
from postclick.calibration.calibration_file import Weights
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.judging.judge import Judgement
from postclick.runs.clicked import clicked_logits
from postclick.runs.raw_log import RawLog
from postclick.runs.run import Run
from postclick.runs.run_scorer import RunScorer

# What `exposed_log` has as its test split.
TEST = exposed_frame(600, seed=1)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    return exposed_log(tmp_path_factory.mktemp("exposed") / "log", negative_rate=0.5)


@pytest.fixture(scope="module")
def run(log: PreparedLog) -> Run:
    return train(log, small_settings("escm2_ipw", "epochs=1"), log.folder.parent / "run")


def assert_same(found: Judgement, expected: Judgement) -> None:
    assert found.exposure_at == expected.exposure_at
    for one, other in zip(found.metrics, expected.metrics, strict=True):
        assert (one.metric, one.space, one.rows) == (other.metric, other.space, other.rows)
        assert one.value == pytest.approx(other.value, rel=2e-5, abs=2e-6), one.metric
    assert found.propensity is not None and expected.propensity is not None
    expected_mean = pytest.approx(expected.propensity.click_over_pi, rel=1e-5)
    assert found.propensity.click_over_pi == expected_mean


@pytest.mark.parametrize("at", [None, "average", 2])
def test_figures_are_those_of_the_prepared_log(
    run: Run, log: PreparedLog, at: str | int | None
) -> None:
    found, expected = (run.evaluate(given, exposure_at=at) for given in (TEST, log))
    assert_same(found, expected)
    as_text = run.evaluate(TEST.with_columns(pl.format("{}.0", "slot").alias("slot")), name="text")
    if at is None:
        assert_same(as_text, expected)
        assert "exposure_at" not in run.log_metrics["frame"]
        assert run.evaluate(TEST, exposure_at="average").value("ctr_nll") != found.value("ctr_nll")
    else:
        assert run.log_metrics["frame"]["exposure_at"] == str(at)
        assert_same(run.evaluate(TEST.drop("slot"), exposure_at=at), expected)


def test_unseen_and_missing_exposures_count_as_the_mean_of_those_seen(run: Run) -> None:
    odd = (None, "never seen")
    found = [run.evaluate(TEST.with_columns(slot=pl.lit(value))).value("ctr_nll") for value in odd]
    assert found[0] == found[1]
    effect = run.load().exposure
    assert effect is not None
    raw = RawLog(run.folder, run.manifest, TEST.with_columns(slot=pl.lit("never seen")))
    window = next(raw.windows())
    assert window.exposure is not None and not window.exposure.any()
    assert window.exposure.shape == (TEST.height,)


def test_segments_by_the_exposure_are_those_of_the_prepared_log(run: Run, log: PreparedLog) -> None:
    found, expected = (run.evaluate(given, by="slot").by[0] for given in (TEST, log))
    assert found.kind == expected.kind == "categorical"
    rows = [{one.value: one.rows for one in cut.segments} for cut in (found, expected)]
    assert rows[0] == rows[1] and set(rows[0]) == set(SLOTS)


def test_a_log_without_the_column_is_refused_with_the_mend(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "later.parquet"
    TEST.drop("slot").write_parquet(path)
    refused = commands.run("evaluate", run.folder, "--log", path)
    assert refused.code == 2 and refused.err.count("\n") == 1
    assert "no column 'slot', the exposure of the run's schema; it has shop" in refused.err
    mend = ("--exposure-at", "average")
    assert f"give {' '.join(mend)} to judge pCTR without it" in refused.err
    told = commands.succeed("evaluate", run.folder, "--log", path, *mend, "--json")
    assert json.loads(told)["exposure_at"] == "average"
    with pytest.raises(InputError, match="exposure at '7': the training rows have no such value"):
        run.evaluate(path, exposure_at=7)


def test_pctr_of_clicked_rows_is_that_at_their_exposures(run: Run) -> None:
    """So that the weights of a calibrator are; put together from rows that all have one value."""
    clicked = TEST.filter(click=1)
    recorded = clicked_logits(run, RawLog(run.folder, run.manifest, clicked))
    for slot in (1, 2, 3, 4):
        there = clicked.with_columns(slot=pl.lit(slot))
        found = clicked_logits(run, RawLog(run.folder, run.manifest, there))
        rows = (clicked["slot"] == slot).to_numpy()
        np.testing.assert_allclose(recorded.ctr_logit[rows], found.ctr_logit[rows], atol=1e-6)
        assert not np.allclose(recorded.ctr_logit[~rows], found.ctr_logit[~rows], atol=0.1)
        np.testing.assert_array_equal(recorded.cvr_logit, found.cvr_logit)


def test_calibrators_are_fitted_with_the_column_and_without_it(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    copy = Run(tmp_path / "run")
    rows = exposed_frame(2_000, seed=5)
    later = converting_by(rows, RunScorer(run).score(rows)["pcvr"])
    z = np.linspace(-4, 2, 20)

    def curve(rows: pl.DataFrame, weights: Weights) -> np.ndarray:
        judge_log = TEST if "slot" in rows else TEST.drop("slot")
        fitted = calibrate(copy, log=rows, kind="platt", weights=weights, judge_log=judge_log)
        assert fitted.document.fitted_on.rows == later.height and fitted.after is not None
        return fitted.calibrator.apply(z)

    bare = later.drop("slot")
    np.testing.assert_array_equal(curve(later, "none"), curve(bare, "none"))
    assert not np.allclose(curve(later, "propensity"), curve(bare, "propensity"), atol=1e-4)
    path = tmp_path / "later.parquet"
    bare.write_parquet(path)
    assert commands.succeed("calibrate", copy.folder, "--log", path, "--kind", "platt")
