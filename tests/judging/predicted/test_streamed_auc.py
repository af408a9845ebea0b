"""AUC in pieces and what units add to it, against all pairs and against numerical derivatives."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from helpers.reference_metrics import brute_auc
from postclick.judging.predicted.streamed_auc import StreamedAuc, auc_parts, influence_error
from postclick.stats import auc_interval

Floats = NDArray[np.float64]
KINDS = ("plain", "ties", "weights", "soft", "soft weights")


def sample(kind: str, rows: int = 60, seed: int = 0) -> tuple[Floats, NDArray[Any], Floats | None]:
    """Scores, labels and weights."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=rows)
    if kind != "plain":
        score = score.round()
    label: NDArray[Any] = rng.random(rows) < 0.3
    if "soft" in kind:
        label = np.where(rng.random(rows) < 0.3, label, rng.random(rows))
    weight = rng.choice([0.0, 0.5, 1.0, 3.0], rows) if "weights" in kind else None
    return score, label, weight


def masses(label: NDArray[Any], weight: Floats | None) -> tuple[Floats, Floats]:
    w = np.ones(label.size) if weight is None else weight
    return w * label.astype(float), w * (1.0 - label.astype(float))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_auc_is_that_of_all_pairs(kind: str, seed: int) -> None:
    score, label, weight = sample(kind, seed=seed)
    found = auc_parts(score, label, np.arange(60), 60, weight)
    assert found.value == pytest.approx(brute_auc(score, *masses(label, weight)), abs=1e-14)
    up, down = masses(label, weight)
    assert found.positives == pytest.approx(up.sum(), rel=1e-14)
    assert found.negatives == pytest.approx(down.sum(), rel=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_moves_the_auc_by_its_influence(kind: str) -> None:
    """The infinitesimal jackknife: the derivative by the weight of all rows of a unit."""
    score, label, weight = sample(kind, seed=5)
    unit = np.random.default_rng(1).integers(0, 9, 60)
    found = auc_parts(score, label, unit, 9, weight)
    w = np.ones(60) if weight is None else weight
    step = 1e-4
    for one in range(9):
        ends = []
        for sign in (1.0, -1.0):
            moved = w * np.where(unit == one, 1.0 + sign * step, 1.0)
            ends.append(brute_auc(score, *masses(label, moved)) or 0.0)
        derivative = (ends[0] - ends[1]) / (2.0 * step)
        assert found.influence[one] == pytest.approx(derivative, abs=1e-7)
    assert found.influence.sum() == pytest.approx(0.0, abs=1e-13)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), max_size=25),
    st.lists(st.integers(0, 25), max_size=4),
)
def test_pieces_in_any_order_give_the_same(
    rows: Sequence[tuple[int, bool, int]], cuts: Sequence[int]
) -> None:
    score = np.array([row[0] for row in rows], np.float32)
    label = np.array([row[1] for row in rows], np.bool_)
    unit = np.array([row[2] for row in rows], np.int64)
    whole = auc_parts(score, label, unit, 4)
    assert whole.value == brute_auc(score, label, ~label)
    turned = StreamedAuc(score[label][::-1], None, unit[label][::-1], units=4)
    negative = np.flatnonzero(~label)
    for piece in reversed(np.split(negative, sorted(min(c, negative.size) for c in cuts))):
        turned.add(score[piece], None, unit[piece])
    again = turned.parts()
    assert again.value == whole.value
    assert np.allclose(again.influence, whole.influence, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", ["plain", "ties"])
def test_rows_as_units_have_delongs_error_up_to_the_degrees_of_freedom(kind: str) -> None:
    score, label, _ = sample(kind, rows=300, seed=2)
    found = auc_parts(score, label, np.arange(300), 300)
    m, n = int(label.sum()), int((~label).sum())
    won = np.array(
        [np.mean((s > score[~label]) + 0.5 * (s == score[~label])) for s in score[label]]
    )
    lost = np.array(
        [np.mean((score[label] > s) + 0.5 * (score[label] == s)) for s in score[~label]]
    )
    delong = np.sqrt(won.var(ddof=1) / m + lost.var(ddof=1) / n)
    assert auc_interval(score, label).standard_error == pytest.approx(delong, rel=1e-12)
    used = np.count_nonzero(found.influence)
    expected = np.sqrt(used / (used - 1) * (won.var() / m + lost.var() / n))
    assert found.standard_error == pytest.approx(expected, rel=1e-12)
    assert found.standard_error == pytest.approx(delong, rel=0.01)


def test_groups_as_units_have_the_clustered_error() -> None:
    """Obuchowski's: components of either class summed up by cluster, with their covariance."""
    rng = np.random.default_rng(3)
    unit = rng.integers(0, 40, 300)
    drift = rng.normal(size=40)
    score = rng.normal(size=300) + drift[unit]
    label = rng.random(300) < 1 / (1 + np.exp(-drift[unit]))
    found = auc_parts(score, label, unit, 40)
    auc = brute_auc(score, label, ~label)
    assert auc is not None
    m, n = label.sum(), (~label).sum()
    v10 = np.array([np.mean(s > score[~label]) - auc for s in score[label]])
    v01 = np.array([np.mean(score[label] > s) - auc for s in score[~label]])
    of_up = np.array([v10[unit[label] == k].sum() for k in range(40)]) / m
    of_down = np.array([v01[unit[~label] == k].sum() for k in range(40)]) / n
    variance = (of_up @ of_up + of_down @ of_down + 2 * of_up @ of_down) * 40 / 39
    assert found.standard_error == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert found.standard_error > 1.2 * auc_parts(score, label, np.arange(300), 300).standard_error


def test_where_a_class_is_missing_there_is_no_auc() -> None:
    for label in (np.zeros(3, np.bool_), np.ones(3, np.bool_)):
        found = auc_parts(np.arange(3.0), label, np.arange(3), 3)
        assert found.value is None
        assert found.standard_error == 0.0
    nothing = auc_parts(np.zeros(0), np.zeros(0, np.bool_), np.zeros(0, np.int64), 2)
    assert nothing.value is None


def test_one_unit_alone_has_no_error() -> None:
    assert influence_error(np.array([0.0, 0.5, 0.0])) == 0.0


def test_scores_keep_their_precision() -> None:
    """Scores that differ in the last bit are no ties, in either precision."""
    for dtype in (np.float32, np.float64):
        near = np.array([0.5, np.nextafter(dtype(0.5), dtype(1))], dtype)
        found = auc_parts(near, np.array([False, True]), np.arange(2), 2)
        assert found.value == 1.0
