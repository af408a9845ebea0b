"""Modes of selection models against SciPy on plain probabilities, and profiles by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from postclick.latent import latent
from postclick.linear.posterior import Prior, fit_mode
from postclick.linear.profile import CUT, profile
from postclick.linear.rows import Block
from postclick.linear.selection import (
    Coefficients,
    SelectionRows,
    posterior_units,
    selection_likelihood,
    selection_mode,
)

from .test_selection_likelihood import joint

NORMAL = latent("normal")
P, Q = 4, 3


def problem(seed: int = 0, n: int = 80) -> tuple[SelectionRows, tuple[np.ndarray, ...]]:
    """Two designs, one of them partly sparse, in two blocks each."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(n, P)), rng.normal(size=(n, Q))
    click = (rng.random(n) < 0.5).astype(float)
    outcome = click * (rng.random(n) < 0.4)
    weight = rng.integers(0, 4, n).astype(float)
    fold = np.arange(n) % 3

    def block(rows: np.ndarray, design: np.ndarray, label: np.ndarray) -> Block:
        return Block(
            (csr_matrix(design[rows, :2]),), design[rows, 2:], label[rows], weight[rows], fold[rows]
        )

    def blocks(of: np.ndarray, design: np.ndarray, label: np.ndarray) -> tuple[Block, ...]:
        return tuple(block(rows, design, label) for rows in np.array_split(np.flatnonzero(of), 2))

    rows = SelectionRows(
        blocks(click == 0, x, click), blocks(click == 1, x, click), blocks(click == 1, z, outcome)
    )
    return rows, (x, z, click, outcome, weight)


PRIORS = (Prior(np.array([0.5, 1.0, np.inf, 2.0])), Prior(np.array([1.0, 0.3, np.inf])))


@pytest.mark.parametrize("s", [-1.0, 0.0, 1.3])
def test_the_mode_is_the_least_of_the_penalised_sum(s: float) -> None:
    rows, (x, z, click, outcome, weight) = problem()
    precision = np.concatenate([prior.precision for prior in PRIORS])

    def loss(flat: np.ndarray) -> float:
        each = joint(x @ flat[:P], z @ flat[P:], s, click, outcome, "normal")
        return float(weight @ each + 0.5 * precision @ flat**2)

    best = minimize(loss, np.zeros(P + Q), method="BFGS", options={"gtol": 1e-7})
    start = Coefficients(np.zeros(P), np.zeros(Q))
    for units in (None, posterior_units(rows, PRIORS, start)):
        found = selection_mode(rows, PRIORS, start, s, NORMAL, units=units, tolerance=1e-12)
        flat = np.concatenate([found.selection, found.outcome])
        assert loss(flat) <= loss(best.x) + 1e-9
        np.testing.assert_allclose(flat, best.x, atol=2e-5)


def test_the_slope_is_that_of_the_likelihood() -> None:
    rows, (x, z, click, outcome, weight) = problem()
    rng = np.random.default_rng(1)
    at = Coefficients(rng.normal(size=P), rng.normal(size=Q))
    loss, slope = selection_likelihood(rows, at, 0.8, NORMAL)
    step = 1e-30

    def moved(da: np.ndarray, db: np.ndarray) -> complex:
        a, b = x @ (at.selection + da), z @ (at.outcome + db)
        return complex(weight @ joint(a, b, 0.8, click, outcome, "normal"))

    assert loss == pytest.approx(moved(np.zeros(P), np.zeros(Q)).real, rel=1e-12)
    by_a = [moved(1j * step * one, np.zeros(Q)).imag / step for one in np.eye(P)]
    by_b = [moved(np.zeros(P), 1j * step * one).imag / step for one in np.eye(Q)]
    np.testing.assert_allclose(slope.selection, by_a, rtol=1e-10)
    np.testing.assert_allclose(slope.outcome, by_b, rtol=1e-10)


def test_without_dependence_the_outcomes_are_a_logistic_regression() -> None:
    rows, _ = problem()
    start = Coefficients(np.zeros(P), np.zeros(Q))
    found = selection_mode(rows, PRIORS, start, 0.0, NORMAL, tolerance=1e-12)
    plain = fit_mode(rows.outcomes, PRIORS[1], np.zeros(Q), tolerance=1e-14)
    np.testing.assert_allclose(found.outcome, plain, atol=1e-5)


def test_weights_are_copies_and_weight_0_is_no_row() -> None:
    rows, (x, z, click, outcome, weight) = problem()
    at = Coefficients(np.full(P, 0.3), np.full(Q, -0.2))
    loss, _ = selection_likelihood(rows, at, 0.8, NORMAL)
    copies = np.repeat(np.arange(click.size), weight.astype(int))
    each = joint(
        (x @ at.selection)[copies], (z @ at.outcome)[copies], 0.8, click[copies], outcome[copies],
        "normal",
    )  # fmt: skip
    assert loss == pytest.approx(float(each.sum()), rel=1e-12)


def test_folds_are_parts_of_the_rows() -> None:
    rows, _ = problem()
    at = Coefficients(np.full(P, 0.3), np.full(Q, -0.2))

    def loss(of: SelectionRows) -> float:
        return selection_likelihood(of, at, 0.8, NORMAL)[0]

    inside = [loss(rows.only(k)) for k in range(3)]
    assert sum(inside) == pytest.approx(loss(rows), rel=1e-12)
    for k in range(3):
        assert loss(rows.without(k)) == pytest.approx(loss(rows) - inside[k], rel=1e-12)
    unweighted = replace(rows, unselected=tuple(replace(b, weight=None) for b in rows.unselected))
    parts = [loss(unweighted.only(k)) for k in range(3)]
    assert sum(parts) == pytest.approx(loss(unweighted), rel=1e-12)


def test_a_profile_that_is_no_parabola() -> None:
    """Ends of the interval are where the likelihood is 1.92 lower, not where a parabola is."""

    def loss(s: float) -> float:
        return 30 * float(np.logaddexp(0.0, s) - 0.7 * s)

    found = profile(loss, step=0.5, limits=(-3.0, 4.0))
    assert found.best == pytest.approx(np.log(0.7 / 0.3), abs=0.01)
    least = loss(np.log(0.7 / 0.3))
    for end in (found.low, found.high):
        assert loss(end) - least == pytest.approx(CUT, abs=0.02)
    assert found.at_zero == pytest.approx(loss(0.0) - least, abs=0.01)


def test_a_profile_without_end_has_no_end() -> None:
    found = profile(lambda s: float(np.exp(-s)), step=0.5, limits=(-3.0, 4.0))
    assert found.high == np.inf
    assert found.best == pytest.approx(4.0, abs=0.1)
    flat = profile(lambda s: 0.0, step=0.5, limits=(-1.0, 1.0))
    assert (flat.low, flat.high, flat.rejects_zero) == (-np.inf, np.inf, False)
