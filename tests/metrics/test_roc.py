import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from postclick.errors import InputError
from postclick.metrics import auc
from postclick.metrics.roc import roc_points

ROWS = st.lists(
    st.tuples(st.one_of(st.floats(-50, 50), st.integers(-2, 2)), st.booleans()),
    min_size=2,
    max_size=80,
).filter(lambda rows: len({label for _, label in rows}) == 2)


@given(ROWS)
def test_area_under_the_full_curve_is_the_exact_auc(rows: list[tuple[float, bool]]) -> None:
    score, label = zip(*rows, strict=True)
    fpr, tpr = roc_points(score, label, len(rows) + 1)
    assert len(fpr) == len({s + 0.0 for s in score}) + 1
    assert np.trapezoid(tpr, fpr) == pytest.approx(auc(score, label), abs=1e-12)


@given(ROWS, st.integers(2, 90))
def test_thinning_keeps_ends_order_and_points_of_the_curve(
    rows: list[tuple[float, bool]], points: int
) -> None:
    score, label = zip(*rows, strict=True)
    full = set(zip(*(rate.tolist() for rate in roc_points(score, label, 81)), strict=True))
    fpr, tpr = roc_points(score, label, points)
    assert 2 <= len(fpr) == len(tpr) <= points
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert (np.diff(fpr) >= 0).all() and (np.diff(tpr) >= 0).all()
    assert (np.diff(fpr) + np.diff(tpr) > 0).all()
    assert set(zip(fpr.tolist(), tpr.tolist(), strict=True)) <= full


def test_every_point_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    score, label = rng.normal(size=400).round(1), rng.random(400) < 0.3
    fpr, tpr, _ = roc_curve(label, score, drop_intermediate=False)
    got = roc_points(score, label, 401)
    assert got[0].tolist() == pytest.approx(fpr.tolist(), abs=1e-12)
    assert got[1].tolist() == pytest.approx(tpr.tolist(), abs=1e-12)


@pytest.mark.parametrize(("rate", "close"), [(0.5, 1e-4), (0.002, 1e-3)])
def test_a_thinned_curve_keeps_its_area_also_for_rare_positives(rate: float, close: float) -> None:
    rng = np.random.default_rng(1)
    label = rng.random(100_000) < rate
    score = rng.normal(size=100_000) + 2.0 * label
    fpr, tpr = roc_points(score, label)
    assert 150 < len(fpr) <= 200
    assert np.trapezoid(tpr, fpr) == pytest.approx(auc(score, label), abs=close)
    # As many positives as there are steps: no step passes over more than its share and one.
    assert max(np.diff(fpr) + np.diff(tpr)) <= 2 * (2 / 199 + 1 / label.sum())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1, 0.2], [1, 1]), "2 positives and 0 negatives"),
        (([], []), "0 positives and 0 negatives"),
        (([0.1, math.nan], [0, 1]), "score is NaN"),
        (([0.1, 0.2], [0, 0.5]), "label is neither 0 nor 1"),
        (([0.1, 0.2], [0, 1], 1), "at least 2"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        roc_points(*arguments)
