"""Runs on down-sampled logs: what they predict for impressions as they occur."""

from pathlib import Path

import numpy as np
import pytest

from helpers.runs import small_settings
from postclick import prepare, simulate
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.judging.judge import judge
from postclick.judging.labels import split_labels
from postclick.logits import sigmoid
from postclick.metrics.likelihood import log_ctcvr
from postclick.runs.run import Run
from postclick.training.train import train

RATE = 0.2
RATES = (RATE, 1.0)
CASES = (("naive", RATE), ("naive", 1.0), ("aitm", RATE))


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[float, PreparedLog]:
    raw = simulate("confounded", rows=50_000, seed=3, ctr=0.04, cvr=0.3, users=200, items=60)
    splits = LogSplits(raw.schema, FrameSource(raw.train), FrameSource(raw.test))
    out = tmp_path_factory.mktemp("rates")
    return {rate: prepare(splits, out / f"data{rate}", negative_rate=rate) for rate in RATES}


@pytest.fixture(scope="module")
def runs(
    logs: dict[float, PreparedLog], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, float], Run]:
    out = tmp_path_factory.mktemp("runs")
    return {
        (name, rate): train(log, small_settings(name, seed=1), out / f"{name}{rate}")
        for name, rate in CASES
        for log in [logs[rate]]
    }


@pytest.mark.parametrize(("name", "rate"), CASES)
def test_pctr_is_right_on_all_test_rows(
    name: str, rate: float, runs: dict[tuple[str, float], Run], logs: dict[float, PreparedLog]
) -> None:
    true_ctr = split_labels(logs[1.0], "test").truth["true_ctr"].astype(np.float64)
    run, log = runs[name, rate], logs[rate]
    judgement = run.evaluate(log, "test", keep_predictions=True)
    kept = run.predictions("test")["ctr_logit"].to_numpy()
    assert sigmoid(kept).mean() / true_ctr.mean() == pytest.approx(1, abs=0.05)
    assert judgement.value("ctr_pcoc") == pytest.approx(1, abs=0.12)
    # Without the correction: 1 / (R + CTR (1 - R)) in each row, 1 / R where clicks are rare.
    uncorrected = sigmoid(kept - np.log(rate)).mean() / true_ctr.mean()
    in_sample = true_ctr / (true_ctr + rate * (1 - true_ctr))
    assert uncorrected == pytest.approx(in_sample.mean() / true_ctr.mean(), rel=0.05)
    assert rate == 1 or 3 < uncorrected < 1 / rate


def test_pctcvr_of_its_own_follows(
    runs: dict[tuple[str, float], Run], logs: dict[float, PreparedLog]
) -> None:
    run = runs["aitm", RATE]
    run.evaluate(logs[RATE], "test", keep_predictions=True)
    kept = run.predictions("test")
    product = log_ctcvr(kept["ctr_logit"].to_numpy(), kept["cvr_logit"].to_numpy())[0]
    assert np.abs(kept["log_ctcvr"].to_numpy() - product).max() < 1e-3


def test_the_shift_is_that_of_the_log(
    runs: dict[tuple[str, float], Run], logs: dict[float, PreparedLog]
) -> None:
    assert runs["naive", RATE].load().ctr_shift == np.log(RATE)
    assert runs["naive", 1.0].load().ctr_shift == 0.0
    assert logs[RATE].base_rates.ctr > 4 * logs[1.0].base_rates.ctr


def test_each_split_is_judged_as_it_is(
    runs: dict[tuple[str, float], Run], logs: dict[float, PreparedLog], tmp_path: Path
) -> None:
    """Training rows are a sample: there the uncorrected pCTR is the right one."""
    log, method = logs[RATE], runs["naive", RATE].load()
    assert judge(method, log, "train").value("ctr_pcoc") == pytest.approx(1, abs=0.05)
    assert judge(method, log, "valid").value("ctr_pcoc") == pytest.approx(1, abs=0.15)
    method.ctr_shift = 0.0
    wrong = judge(method, log, "valid").value("ctr_pcoc")
    assert wrong is not None and wrong > 3


def test_propensities_are_those_of_the_rows_judged(
    logs: dict[float, PreparedLog], tmp_path: Path
) -> None:
    log = logs[RATE]
    run = train(log, small_settings("escm2_ipw", "clip=[0.0001,0.9999]", seed=1), tmp_path / "r")
    method = run.load()
    for split in ("train", "valid", "test"):
        held = judge(method, log, split).propensity
        assert held is not None
        assert held.unclick_over_rest == pytest.approx(1, abs=0.08), split
    method.ctr_shift = 0.0
    wrong = judge(method, log, "test").propensity
    assert wrong is not None and wrong.unclick_over_rest > 1.1
