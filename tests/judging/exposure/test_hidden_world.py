"""What an unseen cause does to the clicked, against draws of it."""

import numpy as np
import pytest
from scipy.special import expit, logit  # type: ignore[import-untyped]

from postclick.datasets.simulated import get_world
from postclick.judging.exposure.hidden_world import ALL, SEEN, UNSEEN, expected_shift


def test_it_is_the_world_of_the_simulation() -> None:
    world = get_world("hidden")
    assert world.logit_sd == ALL
    assert pytest.approx(world.logit_sd * np.sqrt(world.dependence)) == UNSEEN
    assert pytest.approx(world.logit_sd * np.sqrt(1 - world.dependence)) == SEEN


def test_shift_is_that_of_draws() -> None:
    rng = np.random.default_rng(0)
    seen, unseen = (sd * rng.standard_normal(1_000_000) for sd in (SEEN, UNSEEN))
    converts = expit(-2.3 + unseen)
    means, rates = [], []
    for intercept in (-4.5, -2.0, 1.5):
        click = expit(intercept + seen + unseen)
        rates.append(click.mean())
        means.append(click @ converts / click.sum())
    drawn = logit(np.array(means))
    found = expected_shift(np.array(rates), float(np.mean(means)))
    np.testing.assert_allclose(found, drawn - drawn.mean(), atol=0.01)


def test_it_falls_with_the_click_rate_and_stays_finite() -> None:
    rates = np.array([0.0, 1e-6, 0.001, 0.1, 0.5, 0.9, 1.0])
    for cvr in (0.0005, 0.3, 0.99):
        shift = expected_shift(rates, cvr)
        assert np.isfinite(shift).all()
        assert np.all(np.diff(shift[1:]) < 0) and shift[0] == shift[1]
