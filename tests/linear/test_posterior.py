"""The mode, its slope and curvature against dense formulas, finite differences and Newton."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from postclick.linear.groups import Prior
from postclick.linear.posterior import curvature, fit_mode, loss_and_slope
from postclick.linear.rows import Block


def problem(rows=400, sparse=12, dense=3, seed=0, folds=3):
    """Two blocks with repeated entries in a row, dense columns, weights and folds."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, sparse, (rows, 2))
    bag = rng.integers(0, sparse, (rows, 3))
    ends = np.arange(rows + 1)
    hot = csr_matrix((np.ones(2 * rows), ids.ravel(), 2 * ends), (rows, sparse))
    bags = csr_matrix((rng.random(3 * rows), bag.ravel(), 3 * ends), (rows, sparse))
    numbers = rng.normal(size=(rows, dense))
    label = (rng.random(rows) < 0.4).astype(float)
    weight, fold = rng.random(rows) + 0.5, np.arange(rows) % folds
    blocks = [
        Block((hot[part], bags[part]), numbers[part], label[part], weight[part], fold[part])
        for part in (slice(0, 150), slice(150, rows))
    ]
    x = np.concatenate([hot.toarray() + bags.toarray(), numbers], axis=1)
    return blocks, x, label, weight, fold


def newton(x, label, weight, variance, rounds=50):
    """The same mode by Newton's method on a dense matrix."""
    held = variance == 0
    precision = np.where(np.isinf(variance) | held, 0.0, 1 / np.where(held, 1, variance))
    free = np.flatnonzero(~held)
    b = np.zeros(x.shape[1])
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-x @ b))
        slope = x.T @ (weight * (p - label)) + precision * b
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(precision)
        b[free] -= np.linalg.solve(hessian[np.ix_(free, free)], slope[free])
    return b


VARIANCE = np.concatenate([np.linspace(0.05, 2.0, 12), [0.0, 0.5, np.inf]])


def test_the_mode_is_that_of_newton():
    blocks, x, label, weight, _ = problem()
    found = fit_mode(blocks, Prior(VARIANCE), np.zeros(15), tolerance=1e-12)
    assert found == pytest.approx(newton(x, label, weight, VARIANCE), abs=2e-6)
    assert found[12] == 0


def test_folds_are_problems_without_their_rows():
    blocks, x, label, weight, fold = problem()
    found = fit_mode(blocks, Prior(VARIANCE), np.full(15, 0.1), folds=3, tolerance=1e-12)
    for k in range(3):
        expected = newton(x, label, weight * (fold != k), VARIANCE)
        assert found[:, k] == pytest.approx(expected, abs=5e-6)


def test_the_slope_is_that_of_the_loss():
    blocks, *_ = problem()
    b = np.random.default_rng(1).normal(size=15)
    _, slope = loss_and_slope(blocks, b)
    for column in range(15):
        step = np.zeros(15)
        step[column] = 1e-5
        up, down = (loss_and_slope(blocks, b + sign * step)[0] for sign in (1, -1))
        assert slope[column] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-6)


def test_curvature_adds_entries_of_a_row_up_before_squaring_within_a_matrix():
    blocks, x, _, weight, _ = problem()
    only = [Block(b.sparse[:1], b.dense, b.label, b.weight) for b in blocks]
    b = np.random.default_rng(2).normal(size=15)
    dense = np.concatenate([np.asarray(one.sparse[0].todense()) for one in only])
    dense = np.concatenate([dense, x[:, 12:]], axis=1)
    p = 1 / (1 + np.exp(-dense @ b))
    expected = (weight * p * (1 - p)) @ np.square(dense)
    assert curvature(only, b) == pytest.approx(expected, rel=1e-12)


def test_threads_change_no_bit():
    blocks, *_ = problem()
    one, two = (fit_mode(blocks, Prior(VARIANCE), np.zeros(15), threads=n) for n in (1, 2))
    assert np.array_equal(one, two)
