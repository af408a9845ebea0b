"""Tail probabilities against SciPy's."""

import pytest
from scipy import stats  # type: ignore[import-untyped]

from postclick.stats.tails import chi_square_tail, normal_p


@pytest.mark.parametrize("df", [1, 2, 3, 4, 9, 10, 19, 20, 101, 400])
@pytest.mark.parametrize("x", [0.0, 1e-6, 0.3, 1.0, 3.84, 10.0, 30.0, 120.0, 900.0])
def test_chi_square(x: float, df: int) -> None:
    assert chi_square_tail(x, df) == pytest.approx(stats.chi2.sf(x, df), rel=1e-11, abs=1e-300)


@pytest.mark.parametrize("z", [0.0, 0.1, -1.96, 3.0, -8.0, 30.0])
def test_normal(z: float) -> None:
    assert normal_p(z) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-12)
