"""Modes of selection models against SciPy on plain probabilities, and profiles by hand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from postclick.latent import latent
from postclick.linear.groups import Prior
from postclick.linear.likelihood_ratio import CUT
from postclick.linear.mode import mode
from postclick.linear.posterior import fit_mode
from postclick.linear.profile import profile, shrunk
from postclick.linear.rows import Block
from postclick.linear.selection import (
    SelectionRows,
    only,
    outcome_likelihood,
    outcome_units,
    selection_likelihood,
    selection_units,
    without,
)

from .test_selection_likelihood import joint, sigma

NORMAL = latent("normal")
P, Q = 4, 3


class Problem(NamedTuple):
    """Two designs, one of them partly sparse, in two blocks of each kind; and plain arrays."""

    rows: SelectionRows
    outcomes: tuple[Block, ...]
    x: np.ndarray
    z: np.ndarray
    click: np.ndarray
    outcome: np.ndarray
    weight: np.ndarray


def problem(seed: int = 0, n: int = 80) -> Problem:
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

    rows = SelectionRows(blocks(click == 0, x, click), blocks(click == 1, x, click))
    return Problem(rows, blocks(click == 1, z, outcome), x, z, click, outcome, weight)


PRIOR = Prior(np.array([0.5, 1.0, np.inf, 2.0]))
PRIOR_OF_OUTCOME = Prior(np.array([1.0, 0.3, np.inf]))


@pytest.mark.parametrize("s", [-1.0, 0.0, 1.3])
def test_the_two_likelihoods_are_that_of_all_rows(s: float) -> None:
    """Values, and slopes by complex steps."""
    one = problem()
    rng = np.random.default_rng(1)
    alpha, beta = rng.normal(size=P), rng.normal(size=Q)
    a = (one.x @ alpha)[one.click == 1]
    of_clicks, slope = selection_likelihood(one.rows, alpha, NORMAL)
    of_outcomes, slope_of_outcome = outcome_likelihood(one.outcomes, a, beta, s, NORMAL)

    def whole(da: np.ndarray, db: np.ndarray) -> complex:
        each = joint(one.x @ (alpha + da), one.z @ (beta + db), s, one.click, one.outcome, "normal")
        return complex(one.weight @ each)

    none_a, none_b, step = np.zeros(P), np.zeros(Q), 1e-30
    assert of_clicks + of_outcomes == pytest.approx(whole(none_a, none_b).real, rel=1e-12)
    by_b = [whole(none_a, 1j * step * unit).imag / step for unit in np.eye(Q)]
    np.testing.assert_allclose(slope_of_outcome, by_b, rtol=1e-10)
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)

    def clicks(da: np.ndarray) -> complex:
        p = sigma((one.x @ (alpha + da))[:, None] + nodes) @ (weights / weights.sum())
        return complex(-one.weight @ np.where(one.click == 1, np.log(p), np.log(1 - p)))

    by_a = [clicks(1j * step * unit).imag / step for unit in np.eye(P)]
    np.testing.assert_allclose(slope, by_a, rtol=1e-10)


@pytest.mark.parametrize("s", [-1.0, 0.0, 1.3])
def test_the_mode_is_the_least_of_the_penalised_sum(s: float) -> None:
    one = problem()
    a = (one.x @ np.full(P, 0.4))[one.click == 1]

    def of_outcomes(beta: np.ndarray) -> tuple[float, np.ndarray]:
        return outcome_likelihood(one.outcomes, a, beta, s, NORMAL)

    cases = (
        (of_outcomes, PRIOR_OF_OUTCOME, outcome_units(one.outcomes, PRIOR_OF_OUTCOME, np.zeros(Q))),
        (
            lambda alpha: selection_likelihood(one.rows, alpha, NORMAL),
            PRIOR,
            selection_units(one.rows, PRIOR, np.zeros(P)),
        ),
    )
    for likelihood, prior, units in cases:
        precision = prior.precision

        def loss(b, likelihood=likelihood, precision=precision):  # type: ignore[no-untyped-def]
            return likelihood(b)[0] + 0.5 * precision @ b**2

        start = np.zeros(precision.size)
        best = minimize(loss, start, method="BFGS", options={"gtol": 1e-6})
        for of in (None, units):
            found = mode(likelihood, prior, start, units=of, tolerance=1e-12)
            assert loss(found) <= loss(best.x) + 1e-9
            np.testing.assert_allclose(found, best.x, atol=5e-5)


def test_without_dependence_the_outcomes_are_a_logistic_regression() -> None:
    one = problem()
    a = np.random.default_rng(2).normal(size=int(one.click.sum()))

    def likelihood(beta: np.ndarray) -> tuple[float, np.ndarray]:
        return outcome_likelihood(one.outcomes, a, beta, 0.0, NORMAL)

    found = mode(likelihood, PRIOR_OF_OUTCOME, np.zeros(Q), tolerance=1e-12)
    plain = fit_mode(one.outcomes, PRIOR_OF_OUTCOME, np.zeros(Q), tolerance=1e-14)
    np.testing.assert_allclose(found, plain, atol=1e-5)


def test_weights_are_copies_and_weight_0_is_no_row() -> None:
    one = problem()
    alpha, beta = np.full(P, 0.3), np.full(Q, -0.2)
    a = (one.x @ alpha)[one.click == 1]
    found = selection_likelihood(one.rows, alpha, NORMAL)[0]
    found += outcome_likelihood(one.outcomes, a, beta, 0.8, NORMAL)[0]
    copies = np.repeat(np.arange(one.click.size), one.weight.astype(int))
    of = (one.x @ alpha, one.z @ beta, one.click, one.outcome)
    first, second, click, outcome = (values[copies] for values in of)
    each = joint(first, second, 0.8, click, outcome, "normal")
    assert found == pytest.approx(float(each.sum()), rel=1e-12)


def test_folds_are_parts_of_the_rows() -> None:
    one = problem()
    alpha, beta = np.full(P, 0.3), np.full(Q, -0.2)
    a = (one.x @ alpha)[one.click == 1]

    def outcomes(blocks: tuple[Block, ...]) -> float:
        return outcome_likelihood(blocks, a, beta, 0.8, NORMAL)[0]

    inside = [outcomes(only(one.outcomes, k)) for k in range(3)]
    assert sum(inside) == pytest.approx(outcomes(one.outcomes), rel=1e-12)
    whole = selection_likelihood(one.rows, alpha, NORMAL)[0]
    outside = [selection_likelihood(one.rows.without(k), alpha, NORMAL)[0] for k in range(3)]
    assert sum(outside) == pytest.approx(2 * whole, rel=1e-12)
    for k in range(3):
        rest = outcomes(without(one.outcomes, k))
        assert rest == pytest.approx(outcomes(one.outcomes) - inside[k], rel=1e-12)


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


def test_a_prior_draws_to_0_by_how_little_the_likelihood_says() -> None:
    for curved in (0.1, 2.0, 30.0):
        found = profile(lambda s, c=curved: c * (s - 0.9) ** 2, step=0.5, limits=(-3.0, 4.0))  # type: ignore[misc]
        for variance in (0.1, 1.0, 10.0):
            by_hand = 0.9 * 2 * curved / (2 * curved + 1 / variance)
            assert shrunk(found, variance) == pytest.approx(by_hand, abs=1e-3)


def test_of_two_modes_the_prior_takes_the_likelier() -> None:
    """The likelihood's best one is far off; the other is near 0, and hardly worse."""

    def loss(s: float) -> float:
        return 0.3 * float((s + 1) ** 2 * (s - 3) ** 2) / 4 - 0.2 * s

    found = profile(loss, step=0.25, limits=(-3.0, 4.0))
    assert found.best == pytest.approx(3.0, abs=0.1)
    grid = np.linspace(-3, 4, 70_001)
    best = grid[np.argmin([loss(s) + s * s / 2 for s in grid])]
    assert best < 0
    assert shrunk(found, 1.0) == pytest.approx(best, abs=0.01)


def test_a_profile_without_end_has_no_end() -> None:
    found = profile(lambda s: float(np.exp(-s)), step=0.5, limits=(-3.0, 4.0))
    assert found.high == np.inf
    assert found.best == pytest.approx(4.0, abs=0.1)
    flat = profile(lambda s: 0.0, step=0.5, limits=(-1.0, 1.0))
    assert (flat.low, flat.high, flat.rejects_zero) == (-np.inf, np.inf, False)
