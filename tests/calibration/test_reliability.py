"""Reliability, Wilson intervals, and figures against truth, beside other ways to compute them."""

import numpy as np
import pytest
from scipy.stats import binomtest

from postclick.calibration.calibrator import Calibrator
from postclick.calibration.fit import fit
from postclick.calibration.reliability import judge_calibrator, reliability, wilson
from postclick.errors import InputError
from postclick.judging.labels import SplitLabels
from postclick.logits import sigmoid
from postclick.metrics.sums import EvaluationSums


@pytest.mark.parametrize(("k", "n"), [(0, 5), (5, 5), (1, 1), (3, 40), (700, 9_000)])
def test_wilson_is_scipys(k: int, n: int) -> None:
    wanted = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (3, 2), (-1, 4)])
def test_wilson_needs_a_rate(k: int, n: int) -> None:
    with pytest.raises(InputError, match="is no rate"):
        wilson(k, n)


def test_reliability_bins_hold_equally_many_rows() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(1, 8, 5_003)
    v = rng.random(p.size) < p
    bins = reliability(p, v)
    assert len(bins) == 10 and sum(one.rows for one in bins) == p.size
    assert max(one.rows for one in bins) - min(one.rows for one in bins) <= 1
    order = np.argsort(p)
    first = order[: bins[0].rows]
    assert bins[0].predicted == pytest.approx(p[first].mean())
    assert bins[0].observed == pytest.approx(v[first].mean())
    assert (bins[0].low, bins[0].high) == wilson(int(v[first].sum()), bins[0].rows)
    # Right probabilities: of ten 95 % intervals hardly more than two miss.
    assert sum(one.low <= one.predicted <= one.high for one in bins) >= 8


def world(rows: int = 40_000) -> tuple[np.ndarray, SplitLabels]:
    """Clicks and conversions share a taste that the model does not see."""
    rng = np.random.default_rng(3)
    taste, seen = rng.normal(size=rows), rng.normal(size=rows)
    cvr = sigmoid(-1.5 + seen + 1.5 * taste)
    click = rng.random(rows) < sigmoid(-1 + 2 * taste)
    conversion = click & (rng.random(rows) < cvr)
    # What is right on average over all impressions, and too low for clicked ones.
    logit = np.float32(-1.1 + 0.75 * seen)
    return logit, SplitLabels(click, conversion, {"true_cvr": cvr.astype(np.float32)})


def test_figures_are_those_of_evaluate() -> None:
    logit, labels = world()
    calibrator = Calibrator("platt", slope=0.8, intercept=0.3)
    judged = judge_calibrator(calibrator, logit, labels)
    sums = EvaluationSums()
    z = calibrator.apply(logit)
    truth = labels.truth["true_cvr"]
    sums.update(np.zeros_like(z), z, labels.click, labels.conversion, true_cvr=truth)
    metric = {(m.metric, m.space): m.value for m in sums.compute()}
    assert judged.pcoc == pytest.approx(metric["cvr_pcoc", "clicked"])
    assert judged.nll == pytest.approx(metric["cvr_nll", "clicked"])
    assert set(judged.truth) == {"clicked", "unclicked", "entire"}
    for space, found in judged.truth.items():
        assert found.cvr_bias == pytest.approx(metric["cvr_bias", space], abs=1e-7)
        assert found.true_cvr_nll == pytest.approx(metric["true_cvr_nll", space])


def test_calibrating_for_clicks_can_harm_the_entire_space() -> None:
    logit, labels = world()
    c = labels.click
    before = judge_calibrator(Calibrator("none"), logit, labels)
    calibrator = fit("platt", logit[c], labels.conversion[c])
    after = judge_calibrator(calibrator, logit, labels)
    assert before.pcoc is not None and after.pcoc is not None
    assert before.pcoc < 0.8 and after.pcoc == pytest.approx(1, abs=1e-3)
    assert abs(after.truth["clicked"].cvr_bias) < abs(before.truth["clicked"].cvr_bias)
    assert abs(before.truth["entire"].cvr_bias) < 0.01 < after.truth["entire"].cvr_bias
    assert after.truth["entire"].true_cvr_nll > before.truth["entire"].true_cvr_nll


def test_without_clicks_only_truth_is_left() -> None:
    logit, labels = world(500)
    nobody = SplitLabels(np.zeros(500, bool), np.zeros(500, bool), labels.truth)
    judged = judge_calibrator(Calibrator("none"), logit, nobody)
    assert (judged.clicks, judged.pcoc, judged.nll, judged.ece) == (0, None, None, None)
    assert judged.reliability == ()
    assert set(judged.truth) == {"unclicked", "entire"}


def test_rows_without_truth_are_left_out_of_it() -> None:
    logit, labels = world(500)
    truth = labels.truth["true_cvr"].copy()
    truth[::2] = np.nan
    judged = judge_calibrator(
        Calibrator("none"), logit, SplitLabels(labels.click, labels.conversion, {"true_cvr": truth})
    )
    found = judged.truth["entire"]
    assert found.rows == 250
    assert found.cvr_bias == pytest.approx(
        sigmoid(logit)[1::2].mean() - truth[1::2].mean(), abs=1e-6
    )


def test_potential_conversions_stand_in_for_the_truth() -> None:
    logit, labels = world(500)
    drawn = (np.arange(500) % 3 == 0).astype(np.float32)
    only = SplitLabels(labels.click, labels.conversion, {"potential_conversion": drawn})
    judged = judge_calibrator(Calibrator("none"), logit, only)
    assert judged.truth["entire"].cvr_bias == pytest.approx(
        sigmoid(logit).mean() - drawn.mean(), abs=1e-7
    )


def test_logits_are_needed_for_each_row() -> None:
    logit, labels = world(500)
    with pytest.raises(InputError, match="499 logits for 500 rows"):
        judge_calibrator(Calibrator("none"), logit[1:], labels)
