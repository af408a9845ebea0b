"""Soft labels in DeLong against an infinitesimal jackknife, and hard labels as a special case."""

import numpy as np
import pytest

from postclick.errors import InputError
from postclick.metrics import weighted_auc
from postclick.stats import auc_difference, bootstrap_difference, soft_auc_difference


def value(a: np.ndarray, b: np.ndarray, w: np.ndarray, y: np.ndarray) -> float:
    found = [weighted_auc(one, w * y, w * (1 - y)) for one in (a, b)]
    assert found[0] is not None and found[1] is not None
    return found[0] - found[1]


@pytest.mark.parametrize("grouped", [False, True])
def test_against_an_infinitesimal_jackknife(grouped: bool) -> None:
    rng = np.random.default_rng(0)
    a, b, w = rng.normal(size=300).round(1), rng.normal(size=300), rng.lognormal(size=300)
    y = np.clip(0.3 + 0.2 * a + 0.1 * rng.normal(size=300), 0, 1)
    group = np.arange(300) // 3 + 1 if grouped else np.arange(300) + 1
    found = soft_auc_difference(a, b, y, group=group if grouped else None, weight=w)
    assert found.difference == pytest.approx(value(a, b, w, y), rel=1e-10)
    step, total, units = 1e-6, 0.0, np.unique(group)
    for one in units:
        up, down = (value(a, b, w * (1 + sign * step * (group == one)), y) for sign in (1, -1))
        total += ((up - down) / (2 * step)) ** 2
    # But for the correction I/(I-1) for the rows of each class.
    assert found.standard_error**2 == pytest.approx(total, rel=2.1 / units.size)
    assert found.standard_error**2 > total


def test_hard_labels_are_delongs() -> None:
    rng = np.random.default_rng(1)
    y = (rng.random(200) < 0.3).astype(float)
    a, b = [rng.normal(size=200) + y for _ in range(2)], rng.normal(size=200)
    soft, hard = soft_auc_difference(a, b, y), auc_difference(a, b, y)
    assert soft.difference == pytest.approx(hard.difference, rel=1e-12)
    assert soft.standard_error == pytest.approx(hard.standard_error, rel=1e-10)


def test_the_bootstrap_agrees() -> None:
    rng = np.random.default_rng(2)
    y = rng.random(2_000) ** 2
    a, b = y + 0.3 * rng.normal(size=2_000), y + 0.4 * rng.normal(size=2_000)
    exact = soft_auc_difference(a, b, y)
    drawn = bootstrap_difference("auc", a, b, y, resamples=800).difference
    assert drawn.value == pytest.approx(exact.difference, rel=1e-10)
    assert drawn.standard_error == pytest.approx(exact.standard_error, rel=0.1)


def test_labels_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match=r"label lies outside \[0, 1\]"):
        soft_auc_difference([0.1, 0.2], [0.1, 0.2], [0.5, 1.5])
