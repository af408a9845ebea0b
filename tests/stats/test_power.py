"""The least detectable difference: a test of that size finds it as often as is said."""

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from postclick.errors import InputError
from postclick.stats import detectable_difference


@pytest.mark.parametrize(("level", "power"), [(0.95, 0.8), (0.9, 0.5), (0.99, 0.9)])
def test_a_z_test_finds_it_with_this_power(level: float, power: float) -> None:
    error = 0.013
    found = detectable_difference(error, level, power)
    threshold = stats.norm.isf((1 - level) / 2) * error
    assert stats.norm.sf(threshold, loc=found, scale=error) == pytest.approx(power, abs=1e-9)
    drawn = np.random.default_rng(0).normal(found, error, 100_000)
    assert np.mean(np.abs(drawn) > threshold) == pytest.approx(power, abs=0.01)


def test_it_is_in_units_of_the_standard_error() -> None:
    assert detectable_difference(1.0) == pytest.approx(2.801585, rel=1e-6)
    assert detectable_difference(0.0) == 0.0
    assert detectable_difference(0.2) == pytest.approx(0.2 * detectable_difference(1.0))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((-0.1,), "standard error"),
        ((float("nan"),), "standard error"),
        ((0.1, 1.0), "level"),
        ((0.1, 0.95, 0.0), "power"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[float, ...], told: str) -> None:
    with pytest.raises(InputError, match=told):
        detectable_difference(*arguments)
