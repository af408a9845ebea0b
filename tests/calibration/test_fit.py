"""Fits: what they recover, that they are optimal, and what they refuse."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from postclick.calibration.calibrator import KINDS, Calibrator, Kind
from postclick.calibration.fit import cross_fitted, fit, propensity_weights
from postclick.errors import InputError
from postclick.logits import sigmoid
from postclick.metrics.likelihood import cross_entropy

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
FITTED: tuple[Kind, ...] = ("temperature", "platt", "isotonic")


def draw(
    rows: int, probability: Callable[[Floats], Floats], seed: int = 0, mean: float = -1.5
) -> tuple[Floats, Mask]:
    """Logits, and conversions with the given probability of each."""
    rng = np.random.default_rng(seed)
    z = rng.normal(mean, 1.2, rows)
    return z, rng.random(rows) < probability(z)


def nll(z: Floats, v: Mask, w: Floats | None = None) -> float:
    return float(np.average(cross_entropy(z, v), weights=w))


def test_temperature_and_platt_recover_what_made_the_labels() -> None:
    z, v = draw(200_000, lambda z: sigmoid(z / 1.7))
    temperature = fit("temperature", z, v)
    assert 1 / temperature.slope == pytest.approx(1.7, rel=0.03)
    z, v = draw(200_000, lambda z: sigmoid(0.6 * z - 0.8))
    platt = fit("platt", z, v)
    assert (platt.slope, platt.intercept) == pytest.approx((0.6, -0.8), abs=0.03)


@pytest.mark.parametrize("weighted", [False, True])
def test_no_other_parameters_do_better(weighted: bool) -> None:
    z, v = draw(3_000, lambda z: sigmoid(0.5 * z - 1))
    w = np.random.default_rng(1).uniform(0.2, 5, z.size) if weighted else None
    platt, temperature = fit("platt", z, v, w), fit("temperature", z, v, w)
    least, hot = nll(platt.apply(z), v, w), nll(temperature.apply(z), v, w)
    for step in (-0.01, 0.01):
        near = Calibrator("platt", slope=platt.slope + step, intercept=platt.intercept)
        assert nll(near.apply(z), v, w) > least
        near = Calibrator("platt", slope=platt.slope, intercept=platt.intercept + step)
        assert nll(near.apply(z), v, w) > least
        near = Calibrator("temperature", slope=temperature.slope + step)
        assert nll(near.apply(z), v, w) > hot
    # Both means agree exactly where a free intercept is fitted.
    assert np.average(sigmoid(platt.apply(z)), weights=w) == pytest.approx(
        np.average(v, weights=w), rel=1e-5
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_isotonic_finds_a_curve_that_no_line_has(weighted: bool) -> None:
    def curve(z: Floats) -> Floats:
        return np.where(z < -1.5, 0.02, np.where(z < 0, 0.2, 0.6))

    z, v = draw(60_000, curve)
    w = np.random.default_rng(1).uniform(0.5, 2, z.size) if weighted else None
    calibrator = fit("isotonic", z, v, w)
    for at, wanted in ((-2.5, 0.02), (-0.8, 0.2), (1.0, 0.6)):
        assert sigmoid(calibrator.apply(np.array([at])))[0] == pytest.approx(wanted, abs=0.04)
    assert nll(calibrator.apply(z), v, w) < nll(fit("platt", z, v, w).apply(z), v, w)
    # Blocks keep their rates; only the outermost ones may gain or lose half a conversion.
    gained = np.average(sigmoid(calibrator.apply(z)), weights=w) - np.average(v, weights=w)
    assert abs(gained) * z.size < 1.5


def test_isotonic_is_finite_at_ends_of_one_class() -> None:
    z = np.linspace(-5, 5, 200)
    v = (z > 1) | (np.arange(200) % 9 == 0) & (z > -2)
    calibrator = fit("isotonic", z, v)
    rates = sigmoid(calibrator.apply(np.array([-99.0, 99.0])))
    below = int((z <= z[v].min()).sum()) - 1
    assert rates[0] == pytest.approx(0.5 / (below + 1), rel=1e-6)
    above = int((z > z[~v].max()).sum())
    assert rates[1] == pytest.approx(1 - 0.5 / (above + 1), rel=1e-6)
    assert (np.diff(calibrator.calibrated) >= 0).all()


def test_the_end_of_one_class_never_passes_its_neighbour() -> None:
    """One row without a conversion would get a rate of 1/4: more than those above it."""
    z = np.concatenate([[-9.0], np.linspace(0, 1, 400)])
    v = np.concatenate([[False], np.arange(400) % 20 == 0])
    v[-3:] = True
    calibrator = fit("isotonic", z, v)
    rates = sigmoid(np.array(calibrator.calibrated))
    assert 0 < rates[0] == rates.min() < 0.06


def test_weights_count_like_repeated_rows() -> None:
    z, v = draw(800, lambda z: sigmoid(0.5 * z - 1))
    times = np.random.default_rng(2).integers(1, 4, z.size)
    for kind in ("temperature", "platt"):
        weighted = fit(kind, z, v, times.astype(float))
        repeated = fit(kind, np.repeat(z, times), np.repeat(v, times))
        assert (weighted.slope, weighted.intercept) == pytest.approx(
            (repeated.slope, repeated.intercept), rel=1e-4
        )
    weighted = fit("isotonic", z, v, times.astype(float))
    repeated = fit("isotonic", np.repeat(z, times), np.repeat(v, times))
    inside = np.linspace(*np.quantile(z, [0.2, 0.8]), 50)
    np.testing.assert_allclose(weighted.apply(inside), repeated.apply(inside), atol=1e-9)


def test_propensity_weights_are_inverse_clipped_and_of_mean_1() -> None:
    ctr_logit = np.array([-9.0, -1.0, 0.0, 30.0])
    weight = propensity_weights(ctr_logit, (0.05, 0.9))
    assert weight.mean() == pytest.approx(1)
    ratio = weight / weight[2]
    np.testing.assert_allclose(ratio, [10, 0.5 / sigmoid(ctr_logit[1:2])[0], 1, 0.5 / 0.9])


@pytest.mark.parametrize("kind", FITTED)
def test_each_row_is_cross_fitted_by_a_fit_without_it(kind: Kind) -> None:
    z, v = draw(600, lambda z: sigmoid(0.5 * z - 0.5))
    w = np.random.default_rng(0).uniform(0.5, 2, z.size)
    found = cross_fitted(kind, z, v, w, seed=4)
    np.testing.assert_array_equal(found, cross_fitted(kind, z, v, w, seed=4))
    inside = fit(kind, z, v, w).apply(z)
    assert nll(found, v, w) > nll(inside, v, w)
    # What a row weighs has no part in its own figure, and has one in those of others.
    heavier = w.copy()
    heavier[7] *= 50
    other = cross_fitted(kind, z, v, heavier, seed=4)
    assert other[7] == found[7]
    assert (other != found).mean() > 0.5


def test_cross_fitting_shows_that_noise_does_not_help() -> None:
    """300 rows already calibrated: isotonic looks better on its own rows, and is not."""
    z, v = draw(300, sigmoid, seed=5)
    inside, outside = fit("isotonic", z, v).apply(z), cross_fitted("isotonic", z, v, np.ones(300))
    assert nll(inside, v) < nll(z, v) < nll(outside, v)


@pytest.mark.parametrize("kind", FITTED)
@pytest.mark.parametrize("conversions", [0, 9, 291, 300])
def test_too_few_of_a_class_are_refused(kind: Kind, conversions: int) -> None:
    z, v = np.linspace(-3, 1, 300), np.arange(300) < conversions
    with pytest.raises(InputError, match=f"there are {conversions} and {300 - conversions}: "):
        fit(kind, z, v)
    with pytest.raises(InputError, match="prepare with a larger valid_fraction"):
        cross_fitted(kind, z, v, np.ones(300))


@pytest.mark.parametrize("kind", FITTED)
def test_constant_predictions_are_refused(kind: Kind) -> None:
    with pytest.raises(InputError, match="pCVR is 0.1192 on all 100 clicked rows"):
        fit(kind, np.full(100, -2.0), np.arange(100) % 3 == 0)


@pytest.mark.parametrize("kind", FITTED)
def test_a_ranking_that_is_wrong_is_not_turned_over(kind: Kind) -> None:
    z = np.linspace(-2, 2, 400)
    v = np.random.default_rng(0).random(400) < sigmoid(-2 * z)
    with pytest.raises(InputError, match=f"no increasing {kind} calibrator fits"):
        fit(kind, z, v)


@pytest.mark.parametrize("kind", ["temperature", "platt"])
def test_perfect_separation_is_refused(kind: Kind) -> None:
    z = np.linspace(-2, 2, 100)
    with pytest.raises(InputError, match="above that of all other clicked rows"):
        fit(kind, z, z > 0.5)
    steps = fit("isotonic", z, z > 0.5)
    assert np.isfinite(steps.apply(z)).all()


def test_logits_that_are_not_finite_are_refused() -> None:
    z = np.linspace(-2, 2, 100)
    z[3] = np.inf
    with pytest.raises(InputError, match="cvr_logit is NaN or infinite on 1 of 100 rows"):
        fit("platt", z, np.arange(100) % 3 == 0)


def test_every_kind_is_tested() -> None:
    assert set(KINDS) == {"none", *FITTED}
