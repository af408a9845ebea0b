"""Metrics of sums: states that merge, several sums, and weights that are repeats."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.registered import NormalisedEntropy
from postclick.metrics import NLL, PCOC, Bias, RatioMetric, RelativeBias, Rows

METRICS: list[RatioMetric] = [NLL(), PCOC(), Bias(), RelativeBias(), NormalisedEntropy()]


def some(n: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.random(n) < 0.4, rng.normal(size=n)


@given(n=st.integers(1, 50), pieces=st.integers(1, 6), seed=st.integers(0, 1_000))
@settings(deadline=None, max_examples=50)
def test_pieces_and_merges_change_nothing(n: int, pieces: int, seed: int) -> None:
    label, score = some(n, seed)
    cut = np.array_split(np.random.default_rng(seed).permutation(n), pieces)
    for metric in METRICS:
        whole, merged = metric.state(), metric.state()
        whole.add(Rows(label, score))
        for rows in cut:
            one = metric.state()
            one.add(Rows(label[rows], score[rows]))
            merged.merge(one)
        assert (whole.rows, whole.positives) == (merged.rows, merged.positives)
        value = metric.compute(whole)
        expected = None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True)
        assert metric.compute(merged) == expected


def test_merging_leaves_the_other_alone() -> None:
    label, score = some(20, 1)
    left, right = NLL().state(), NLL().state()
    right.add(Rows(label, score))
    before = list(right.totals)
    left.merge(right)
    left.merge(right)
    assert (left.rows, right.rows, right.totals) == (40, 20, before)
    assert NLL().compute(left) == NLL().compute(right)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_weights_are_repeats(metric: RatioMetric) -> None:
    label, score = some(80, 2)
    weights = np.random.default_rng(3).poisson(1.0, 80)
    again = np.repeat(np.arange(80), weights)
    state = metric.state()
    state.add(Rows(label[again], score[again]))
    found = metric.weighted(Rows(label, score))(weights.astype(float))
    assert found == pytest.approx(metric.compute(state), rel=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_without_weight_or_labels_there_is_no_value(metric: RatioMetric) -> None:
    label, score = some(10, 4)
    assert not np.isfinite(metric.weighted(Rows(label, score))(np.zeros(10)))
    if metric.over_positives:
        assert not np.isfinite(metric.weighted(Rows(0 * label, score))(np.ones(10)))
