"""The likelihood of a selection model against plain probabilities, complex steps, dense grids."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, roots_genlaguerre
from scipy.stats import gamma, norm

from postclick.latent import LATENTS, LatentName, latent
from postclick.linear.selection_likelihood import outcome_loss, selection_loss

STEP = 1e-30
DEPENDENCES = (-1.5, 0.0, 0.7, 2.0)


def sigma(z):  # type: ignore[no-untyped-def]
    """Of complex numbers, too."""
    return 1 / (1 + np.exp(-z))


def nodes_of(name: LatentName) -> tuple[np.ndarray, np.ndarray]:
    """By numpy's and SciPy's own quadratures."""
    if name == "two_point":
        return np.array([-1.0, 1.0]), np.array([0.5, 0.5])
    if name == "normal":
        nodes, weights = np.polynomial.hermite_e.hermegauss(15)
        return nodes, weights / weights.sum()
    nodes, weights = roots_genlaguerre(15, 1.0)
    return (nodes - 2) / np.sqrt(2), weights / weights.sum()


def joint(a, b, s, click, outcome, name):  # type: ignore[no-untyped-def]
    """Minus the log-likelihood of each row, written as the model is defined."""
    nodes, weights = nodes_of(name)
    p, q = sigma(a[:, None] + nodes), sigma(b[:, None] + s * nodes)
    unclicked = (1 - p) @ weights
    yes, no = (p * q) @ weights, (p * (1 - q)) @ weights
    clicked = outcome * np.log(yes) + (1 - outcome) * np.log(no)
    return -np.where(click == 1, clicked, np.log(unclicked))


def rows() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(3)
    a, b = rng.normal(-1, 2, 60), rng.normal(-1, 2, 60)
    click = np.repeat([0.0, 1.0], 30)
    return a, b, click, click * (rng.random(60) < 0.5)


@pytest.mark.parametrize("name", LATENTS)
@pytest.mark.parametrize("s", DEPENDENCES)
def test_values_and_slopes_are_those_of_the_definition(name: LatentName, s: float) -> None:
    a, b, click, outcome = rows()
    over = latent(name)
    expected = joint(a, b, s, click, outcome, name)
    by_a = joint(a + 1j * STEP, b, s, click, outcome, name).imag / STEP
    by_b = joint(a, b + 1j * STEP, s, click, outcome, name).imag / STEP
    off, on = click == 0, click == 1
    unclicked = selection_loss(a[off], False, over)
    clicked = selection_loss(a[on], True, over)
    became = outcome_loss(a[on], b[on], s, outcome[on], over)
    np.testing.assert_allclose(unclicked.loss, expected[off], rtol=1e-10)
    np.testing.assert_allclose(unclicked.slope, by_a[off], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(clicked.loss + became.loss, expected[on], rtol=1e-10)
    found = clicked.slope + became.by_selection
    np.testing.assert_allclose(found, by_a[on], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(became.by_outcome, by_b[on], rtol=1e-10, atol=1e-13)


def test_without_dependence_outcomes_are_a_plain_logistic_regression() -> None:
    a, b, _, _ = rows()
    y = np.random.default_rng(0).random(a.size)
    found = outcome_loss(a, b, 0.0, y, latent("normal"))
    np.testing.assert_allclose(found.loss, np.logaddexp(0, b) - y * b, rtol=1e-12)
    np.testing.assert_allclose(found.by_outcome, expit(b) - y, atol=1e-14)
    np.testing.assert_allclose(found.by_selection, 0, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "s", "error"),
    [("normal", 1.0, 1e-6), ("normal", 2.0, 2e-4), ("skewed", 1.0, 1e-4), ("skewed", 2.0, 1e-2)],
)
def test_fifteen_nodes_are_enough(name: LatentName, s: float, error: float) -> None:
    """Against integrals over dense grids: what the quadrature leaves out of a log-probability."""
    a = np.linspace(-6, 3, 10)
    b = a[::-1] - 1
    if name == "normal":
        u = np.linspace(-12, 12, 200_001)
        density = norm.pdf(u)
    else:
        g = np.linspace(0, 60, 400_001)
        u, density = (g - 2) / np.sqrt(2), gamma.pdf(g, 2)
    density /= density.sum()
    p, q = expit(a[:, None] + u), expit(b[:, None] + s * u)
    p_click, p_both = p @ density, (p * q) @ density
    over = latent(name)
    np.testing.assert_allclose(selection_loss(a, True, over).loss, -np.log(p_click), atol=error)
    found = outcome_loss(a, b, s, np.ones(a.size), over).loss
    np.testing.assert_allclose(found, np.log(p_click) - np.log(p_both), atol=error)


@pytest.mark.parametrize("name", LATENTS)
def test_a_latent_has_mean_0_and_variance_1(name: LatentName) -> None:
    nodes, weights = latent(name)
    moments = [weights.sum(), weights @ nodes, weights @ nodes**2]
    np.testing.assert_allclose(moments, [1, 0, 1], atol=1e-12)


def test_left_out_rows_raise_the_odds_of_those_that_stay() -> None:
    a, kept = np.array([-2.0, 0.5]), 0.2
    p = np.exp(-selection_loss(a, True, latent("normal")).loss)
    expected = -np.log(p / (p + kept * (1 - p)))
    found = selection_loss(a, True, latent("normal"), np.log(kept))
    np.testing.assert_allclose(found.loss, expected, rtol=1e-12)
    step = 1e-6
    beside = [
        selection_loss(a + d, False, latent("normal"), np.log(kept)).loss for d in (step, -step)
    ]
    slope = selection_loss(a, False, latent("normal"), np.log(kept)).slope
    np.testing.assert_allclose(slope, (beside[0] - beside[1]) / (2 * step), rtol=1e-7)


@pytest.mark.parametrize("size", [40.0, 400.0, 2000.0])
def test_extreme_predictors_stay_finite(size: float) -> None:
    a, b = np.array([-size, -size, size, size]), np.array([-size, size, -size, size])
    for outcome in (np.zeros(4), np.ones(4)):
        found = outcome_loss(a, b, 1.0, outcome, latent("normal"))
        assert all(np.isfinite(part).all() for part in found)
    for selected in (True, False):
        assert all(np.isfinite(x).all() for x in selection_loss(a, selected, latent("normal")))
