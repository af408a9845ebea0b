"""Unseen causes: mean 0, variance 1, and quadratures that agree with draws and with integrals."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import gamma, skew

from postclick.datasets.simulated.causes import CAUSES, SHAPE
from postclick.datasets.simulated.oracle import expected_cvr


@pytest.mark.parametrize("name", CAUSES)
def test_draws_and_rules_are_standardized(name: str) -> None:
    cause = CAUSES[name]
    drawn = cause.draw(np.random.default_rng(0), 400_000)
    assert drawn.mean() == pytest.approx(0.0, abs=0.01)
    assert drawn.var() == pytest.approx(1.0, abs=0.01)
    nodes, weights = cause.rule()
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ nodes == pytest.approx(0.0, abs=1e-9)
    assert weights @ nodes**2 == pytest.approx(1.0)
    third = weights @ nodes**3
    assert skew(drawn) == pytest.approx(third, abs=0.03)
    assert (abs(third) < 1e-9) == cause.symmetric


@pytest.mark.parametrize("effect", [-2.0, -0.5, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("logit", [-6.0, -3.0, 0.5])
def test_the_cvr_over_a_skewed_cause_is_the_integral(logit: float, effect: float) -> None:
    def integrand(g: float) -> float:
        return float(expit(logit + effect * (g - SHAPE) / np.sqrt(SHAPE)) * gamma.pdf(g, SHAPE))

    wanted, _ = quad(integrand, 0, 80, epsabs=1e-12, limit=200)
    found = expected_cvr(np.array([logit]), effect, "skewed")[0]
    assert found == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("effect", [-1.0, 1.0])
@pytest.mark.parametrize("name", CAUSES)
def test_the_cvr_over_a_cause_is_the_mean_over_draws(name: str, effect: float) -> None:
    drawn = CAUSES[name].draw(np.random.default_rng(1), 400_000)
    for logit in (-4.0, -1.0, 1.0):
        found = expected_cvr(np.array([logit]), effect, name)[0]
        assert found == pytest.approx(expit(logit + effect * drawn).mean(), rel=0.01)
