"""Row weights in fitting and judging calibrators: whole ones are copies of rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.runs import small_settings
from postclick import prepare, simulate
from postclick.calibration.calibrator import Calibrator
from postclick.calibration.fit import fit, propensity_weights
from postclick.calibration.reliability import judge_calibrator, reliability, wilson
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.judging.labels import SplitLabels
from postclick.judging.teacher import teacher_logloss
from postclick.logits import sigmoid
from postclick.metrics.likelihood import cross_entropy
from postclick.runs.calibrate import calibrate
from postclick.runs.calibration_study import calibration_study
from postclick.runs.clicked import Clicked, clicked_logits
from postclick.training.train import train


def world(rows: int = 6_000) -> tuple[np.ndarray, SplitLabels, np.ndarray]:
    rng = np.random.default_rng(3)
    logit = rng.normal(-1, 1, rows)
    cvr = sigmoid(0.4 + 0.7 * logit)
    click = rng.random(rows) < 0.4
    conversion = click & (rng.random(rows) < cvr)
    truth = {"true_cvr": cvr.astype(np.float32)}
    counts = rng.integers(0, 4, rows) * (1 + conversion)
    return logit, SplitLabels(click, conversion, truth, None, counts.astype(np.float32)), counts


def copied(logit: np.ndarray, labels: SplitLabels, counts: np.ndarray) -> Any:
    rows = np.repeat(np.arange(logit.size), counts)
    truth = {name: values[rows] for name, values in labels.truth.items()}
    return logit[rows], SplitLabels(labels.click[rows], labels.conversion[rows], truth)


def test_a_weighted_judgement_is_that_of_copies() -> None:
    logit, labels, counts = world()
    calibrator = Calibrator("platt", slope=0.8, intercept=0.3)
    found = judge_calibrator(calibrator, logit, labels)
    expected = judge_calibrator(calibrator, *copied(logit, labels, counts))
    assert found.clicks == labels.click.sum()
    assert (found.pcoc, found.nll) == pytest.approx((expected.pcoc, expected.nll), rel=1e-10)
    for space, truth in expected.truth.items():
        mine = found.truth[space]
        assert mine.cvr_bias == pytest.approx(truth.cvr_bias, abs=1e-7)
        assert mine.true_cvr_nll == pytest.approx(truth.true_cvr_nll, rel=1e-7)
    ones = SplitLabels(
        labels.click, labels.conversion, labels.truth, None, np.ones(logit.size, np.float32)
    )
    plain = SplitLabels(labels.click, labels.conversion, labels.truth)
    a, b = (judge_calibrator(calibrator, logit, one) for one in (ones, plain))
    assert (a.pcoc, a.nll, a.ece) == pytest.approx((b.pcoc, b.nll, b.ece), rel=1e-12)
    for left, right in zip(a.reliability, b.reliability, strict=True):
        assert (left.rows, left.low) == (right.rows, pytest.approx(right.low))


def test_the_interval_of_a_bin_rests_on_as_many_equal_rows() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(2, 8, 4_000)
    v, w = (
        rng.random(p.size) < p,
        rng.lognormal(sigma=1.2, size=p.size) * (rng.random(p.size) < 0.9),
    )
    for one in reliability(p, v, weight=w):
        inside = (w > 0) & (p >= p[w > 0].min())
        assert one.rows <= inside.sum()
        assert one.low < one.observed < one.high
    (whole,) = reliability(p, v, 1, weight=w)
    worth = w.sum() ** 2 / np.square(w).sum()
    observed = np.average(v, weights=w)
    assert whole.observed == pytest.approx(observed)
    assert (whole.low, whole.high) == pytest.approx(wilson(observed * worth, worth))


def test_weighted_fits_are_those_of_copies_in_the_study() -> None:
    logit, labels, counts = world(20_000)
    c = labels.click & (counts > 0)
    ctr = np.random.default_rng(5).normal(-1, 0.5, c.sum())
    w = counts[c].astype(np.float64)
    clicked = Clicked(ctr, logit[c], labels.conversion[c], (0.01, 0.99), w)
    study = calibration_study(clicked, logit, labels, "test")
    rows = np.repeat(np.arange(c.sum()), counts[c])
    many = Clicked(ctr[rows], logit[c][rows], labels.conversion[c][rows], (0.01, 0.99))
    copies = calibration_study(many, *copied(logit, labels, counts), "test")
    for one, other in zip(study["arms"], copies["arms"], strict=True):
        assert (one["kind"], one["weights"]) == (other["kind"], other["weights"])
        assert one["judged"]["pcoc"] == pytest.approx(other["judged"]["pcoc"], rel=1e-4)
        # An outermost isotonic block without conversions knows how many rows were there.
        limit = 1e-3 if one["kind"] == "isotonic" else 1e-6
        assert one["judged"]["nll"] == pytest.approx(other["judged"]["nll"], rel=limit)


def test_teachers_are_judged_by_weights() -> None:
    logit, labels, counts = world()
    rows = np.repeat(np.arange(logit.size), counts)
    truth = {"true_cvr": labels.truth["true_cvr"]}
    found = teacher_logloss(logit, labels.click, truth=truth, weight=counts)
    copies = teacher_logloss(
        logit[rows], labels.click[rows], truth={"true_cvr": truth["true_cvr"][rows]}
    )
    assert found.true_cvr == pytest.approx(copies.true_cvr)
    assert found.recorded_zeros == pytest.approx(copies.recorded_zeros)


@pytest.mark.parametrize("weights", ["none", "propensity"])
def test_calibrate_fits_by_the_logs_weights(weights: Any, tmp_path: Path) -> None:
    raw = simulate("confounded", rows=8_000, seed=6, ctr=0.4, cvr=0.3, users=50, items=20)
    frames = []
    for k, frame in enumerate((raw.train, raw.test)):
        rng = np.random.default_rng(k)
        # Conversions stand for three impressions each: a run without weights is far too low.
        weight = rng.integers(0, 3, frame.height) * (1 + 2 * frame["conversion"].to_numpy())
        frames.append(FrameSource(frame.with_columns(stands_for=weight)))
    schema = LogSchema.parse({**raw.schema.model_dump(mode="json"), "weight": "stands_for"})
    log = prepare(LogSplits(schema, *frames), tmp_path / "log", valid_fraction=0.3)
    run = train(log, small_settings("naive", "lr=0.05"), tmp_path / "run")
    rows = clicked_logits(run, log)
    assert rows.weight is not None
    assert (rows.weight > 0).all()
    done = calibrate(run, log, "platt", weights=weights, judge="test")
    w = rows.weight
    if weights == "propensity":
        w = w * propensity_weights(rows.ctr_logit, rows.clip)
    expected = fit("platt", rows.cvr_logit, rows.conversion, w)
    assert done.calibrator.slope == pytest.approx(expected.slope)
    before = done.document.validation.before
    own = rows.weight
    q = sigmoid(rows.cvr_logit)
    assert before.pcoc == pytest.approx((own * q).sum() / own[rows.conversion].sum())
    nll = np.average(cross_entropy(rows.cvr_logit, rows.conversion), weights=own)
    assert before.nll == pytest.approx(nll)
    on = done.document.fitted_on
    assert on.effective_sample_size == pytest.approx(w.sum() ** 2 / np.square(w).sum())
    assert on.effective_sample_size < on.clicks
