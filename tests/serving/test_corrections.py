"""Bundles of runs on down-sampled logs, and of calibrated ones: what the run predicts, again."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers.commands import succeed
from helpers.expected_scores import expected_scores
from helpers.runs import small_settings
from postclick import calibrate, export, prepare, simulate, train
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.logits import sigmoid
from postclick.runs.run import Run
from postclick.serving.bundle.bundle import Bundle

RATE = 0.2


@pytest.fixture(scope="module")
def raw() -> LogSplits:
    world = simulate("confounded", rows=20_000, seed=3, ctr=0.1, cvr=0.3, users=200, items=60)
    return LogSplits(world.schema, FrameSource(world.train), FrameSource(world.test))


@pytest.fixture(scope="module")
def log(raw: LogSplits, tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    return prepare(raw, tmp_path_factory.mktemp("thinned") / "data", negative_rate=RATE)


@pytest.fixture(scope="module", params=["naive", "aitm"])
def run(request: pytest.FixtureRequest, log: PreparedLog) -> Run:
    name: str = request.param
    run = train(log, small_settings(name, seed=1), log.folder.parent / name)
    run.evaluate(log, "test", keep_predictions=True)
    calibrate(run, log, "platt")
    return run


@pytest.fixture(scope="module")
def rows(raw: LogSplits) -> pl.DataFrame:
    assert isinstance(raw.test, FrameSource)
    return pl.concat(raw.test.frames(raw.test.columns))


@pytest.fixture(scope="module")
def kept(run: Run, log: PreparedLog, rows: pl.DataFrame) -> pl.DataFrame:
    return expected_scores(run, log, rows)


def check(found: pl.DataFrame, **expected: pl.Series | np.ndarray) -> None:
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].to_numpy(), values, rtol=1e-4, atol=1e-7)


def logit(p: pl.Series) -> np.ndarray:
    return np.log(p.to_numpy() / (1 - p.to_numpy()))


def test_sampled_negatives_are_corrected_once(
    run: Run, rows: pl.DataFrame, kept: pl.DataFrame, tmp_path: Path
) -> None:
    bundle = export(run, tmp_path / "bundle", calibrated=False)
    assert bundle.info.calibration is None
    check(bundle.score(rows), **kept.to_dict())


def test_a_log_that_came_thinned(
    run: Run, rows: pl.DataFrame, kept: pl.DataFrame, tmp_path: Path
) -> None:
    """Its own rate comes on top of the one of `prepare`: odds of a click are multiplied by both."""
    found = export(run, tmp_path / "b", calibrated=False, negative_rate=0.5).score(rows)
    clicked = sigmoid(logit(kept["pctr"]) + np.log(0.5))
    joint = kept["pctcvr"].to_numpy() * clicked / kept["pctr"].to_numpy()
    check(found, pctr=clicked, pcvr=kept["pcvr"], pctcvr=joint)


def test_the_calibrator_goes_with_the_bundle(
    run: Run, rows: pl.DataFrame, kept: pl.DataFrame, tmp_path: Path
) -> None:
    printed = succeed("export", run.folder, "--out", tmp_path / "bundle")
    assert printed.splitlines()[0].endswith("MB, calibration: platt")
    bundle = Bundle.open(tmp_path / "bundle")
    calibrator = run.calibration
    assert calibrator is not None and bundle.info.calibration == calibrator.to_json()
    assert calibrator.kind == "platt" and abs(calibrator.slope - 1) > 1e-3
    pcvr = sigmoid(calibrator.apply(logit(kept["pcvr"])))
    check(bundle.score(rows), pctr=kept["pctr"], pcvr=pcvr, pctcvr=kept["pctr"] * pcvr)
