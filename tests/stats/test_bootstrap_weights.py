"""Row weights in the bootstrap: they go along with the rows that are drawn."""

from typing import Any

import numpy as np
import pytest

from helpers.two_models import sigmoid, two_models
from postclick.errors import InputError
from postclick.metrics import EvaluationSums, weighted_auc
from postclick.stats import bootstrap_difference, bootstrap_intervals

NAMES = ("nll", "pcoc", "bias", "auc", "gauc")


def weights_of(n: int) -> Any:
    return np.random.default_rng(9).lognormal(sigma=1.0, size=n)


def test_values_are_the_weighted_metrics() -> None:
    a, _, label = two_models(2_000)
    w, group = weights_of(2_000), np.arange(2_000) % 90 + 1
    found = bootstrap_intervals(NAMES, a, label, group=group, weight=w, resamples=100)
    sums = EvaluationSums()
    ones = np.ones(2_000)
    sums.update(a, a, ones, label, true_cvr=label, group=group, weight=w)
    expected = {m.metric: m.value for m in sums.compute() if m.space == "clicked"}
    keys = ("cvr_nll", "cvr_pcoc", "cvr_bias", "cvr_auc", "cvr_gauc")
    for name, key, interval in zip(NAMES, keys, found, strict=True):
        assert interval is not None
        assert interval.value == pytest.approx(expected[key], rel=1e-12), name
        assert interval.low < interval.value < interval.high


def test_the_standard_error_of_a_weighted_mean() -> None:
    """By linearisation: sum of squares of w (x - mean), over the square of the sum of weights."""
    a, b, label = two_models(5_000)
    w = weights_of(5_000)
    found = bootstrap_difference("bias", a, b, label, weight=w, resamples=2_000).difference
    per_row = sigmoid(a) - sigmoid(b)
    mean = np.average(per_row, weights=w)
    error = np.sqrt(np.square(w * (per_row - mean)).sum()) / w.sum()
    assert found.value == pytest.approx(mean, rel=1e-10)
    assert found.standard_error == pytest.approx(error, rel=0.08)
    unweighted = bootstrap_difference("bias", a, b, label, resamples=2_000).difference
    assert found.standard_error > 1.3 * unweighted.standard_error


@pytest.mark.parametrize("by_group", [False, True])
def test_each_resample_is_the_weighted_metric_of_its_rows(by_group: bool) -> None:
    """The same draws without weights, and every draw of a row with its weight."""
    a, _, label = two_models(300)
    w, group = weights_of(300), np.arange(300) // 3 + 1
    options: dict[str, Any] = {"group": group, "by_group": by_group, "resamples": 60, "seed": 4}
    (nll, auc) = bootstrap_intervals(("nll", "auc"), a, label, weight=w, **options)
    (same_nll, same_auc) = bootstrap_intervals(("nll", "auc"), a, label, weight=7 * w, **options)
    for one, other in ((nll, same_nll), (auc, same_auc)):
        assert one is not None
        assert other is not None
        assert (one.low, one.high) == pytest.approx((other.low, other.high), rel=1e-10)
    assert auc is not None
    assert auc.value == pytest.approx(weighted_auc(a, w * label, w * (1 - label)), rel=1e-12)
    plain = bootstrap_intervals(("nll", "auc"), a, label, **options)
    ones = bootstrap_intervals(("nll", "auc"), a, label, weight=np.ones(300), **options)
    for one, other in zip(plain, ones, strict=True):
        assert one is not None
        assert other is not None
        assert (one.low, one.high) == pytest.approx((other.low, other.high), rel=1e-12)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_what_is_no_weight_is_refused(wrong: float) -> None:
    a, _, label = two_models(50)
    weight = np.full(50, 1.0)
    weight[3] = wrong
    with pytest.raises(InputError, match="weight"):
        bootstrap_intervals(["nll"], a, label, weight=weight, resamples=100)
