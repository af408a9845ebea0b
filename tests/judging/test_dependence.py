"""What is implied where nobody clicked, against integrals and roots found one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit

from postclick.judging.dependence import click_curve, implied_rates
from postclick.latent import LATENTS, LatentName, latent


@pytest.mark.parametrize("name", LATENTS)
@pytest.mark.parametrize("s", [-2.0, 0.0, 0.6, 3.0])
def test_rates_are_those_of_the_model(name: LatentName, s: float) -> None:
    u, w = latent(name)
    m, g = np.array([-6.0, -2.5, 0.0, 3.0]), np.array([-5.0, -2.0, 1.0, -1.0])
    curve = click_curve(m[:, None], np.ones(1), latent(name))
    found = implied_rates(curve, g, s, latent(name))
    for k in range(4):
        a = brentq(lambda a, k=k: logit(expit(a + u) @ w) - m[k], -30, 30, xtol=1e-12)
        p = expit(a + u)

        def given(b: float, p: np.ndarray = p) -> float:
            return float((w * p) @ expit(b + s * u) / (w @ p))

        b = brentq(lambda b, k=k: given(b) - expit(g[k]), -60, 60, xtol=1e-12)
        q = expit(b + s * u)
        np.testing.assert_allclose(found.entire[k], w @ q, rtol=1e-5)
        np.testing.assert_allclose(found.unclicked[k], (w * (1 - p)) @ q / (w @ (1 - p)), rtol=1e-5)


def test_all_impressions_are_clicked_and_unclicked_ones() -> None:
    over = latent("normal")
    m, g = np.array([-3.0, -0.5, 2.0]), np.array([-2.0, 0.0, 1.0])
    curve = click_curve(m[:, None], np.ones(1), over)
    p = curve @ over.weights
    np.testing.assert_allclose(p, expit(m), rtol=1e-6)
    found = implied_rates(curve, g, 1.3, over)
    np.testing.assert_allclose(p * expit(g) + (1 - p) * found.unclicked, found.entire, rtol=1e-8)


def test_without_dependence_a_click_says_nothing() -> None:
    over = latent("normal")
    g = np.linspace(-8, 8, 9)
    curve = click_curve(np.linspace(-9, 9, 9)[:, None], np.ones(1), over)
    found = implied_rates(curve, g, 0.0, over)
    np.testing.assert_allclose(found.unclicked, expit(g), rtol=1e-8)
    np.testing.assert_allclose(found.entire, expit(g), rtol=1e-8)


def test_exposures_are_averaged_where_the_rate_is_one_of_all() -> None:
    over = latent("normal")
    u, w = over
    a, shares, b, s = np.array([-4.0, -1.0]), np.array([0.7, 0.3]), -1.5, 1.2
    m = logit(expit(a[:, None] + u) @ w)
    p, q = shares @ expit(a[:, None] + u), expit(b + s * u)
    given = logit((w * p) @ q / (w @ p))
    found = implied_rates(click_curve(m[None], shares, over), np.array([given]), s, over)
    np.testing.assert_allclose(found.entire, w @ q, rtol=1e-6)
    np.testing.assert_allclose(found.unclicked, (w * (1 - p)) @ q / (w @ (1 - p)), rtol=1e-6)
