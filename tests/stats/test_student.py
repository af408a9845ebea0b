"""Student's t against SciPy's."""

import pytest
from scipy import stats  # type: ignore[import-untyped]

from postclick.errors import InputError
from postclick.stats.interval import normal_quantile
from postclick.stats.student import NORMAL, t_quantile, two_sided_p

DF = [1.0, 1.001, 1.3, 2.0, 4, 5.7, 30.0, 290.0, 299.9, 300.1, 1_000.0, 99_999.0, 1e6, 1e9]


@pytest.mark.parametrize("df", DF)
@pytest.mark.parametrize("level", [0.01, 0.5, 0.9, 0.95, 0.999, 0.9999])
def test_quantiles(level: float, df: float) -> None:
    # The upper tail: of a level near 1 the sum with 1/2 would lose digits.
    wanted = stats.t.isf((1 - level) / 2, df)
    assert t_quantile(level, df) == pytest.approx(wanted, rel=2e-14 / (1 - level))


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_at_last_it_is_normal(level: float) -> None:
    z = normal_quantile(level)
    assert t_quantile(level, NORMAL) == z
    assert t_quantile(level, 0.99 * NORMAL) == pytest.approx(z, rel=1e-14)
    # The first term of Fisher's expansion.
    df = 1e9
    assert t_quantile(level, df) - z == pytest.approx((z**3 + z) / (4 * df), rel=1e-4)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, float("nan")])
def test_levels_that_are_none_are_refused(level: float) -> None:
    with pytest.raises(InputError, match="give one between 0 and 1"):
        t_quantile(level, 5.0)


@pytest.mark.parametrize("df", DF)
@pytest.mark.parametrize("t", [0.0, 0.3, -2.0, 7.5])
def test_p_values(t: float, df: float) -> None:
    assert two_sided_p(t, df) == pytest.approx(2 * stats.t.sf(abs(t), df), rel=1e-12)
    if t:
        assert two_sided_p(t_quantile(0.9, df), df) == pytest.approx(0.1, rel=1e-11)
