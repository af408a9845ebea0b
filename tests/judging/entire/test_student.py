"""Quantiles of Student's t against SciPy's."""

import pytest
from scipy import stats

from postclick.judging.entire.student import t_quantile


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("freedom", [1.0, 1.3, 2.0, 5.7, 30.0, 1_000.0, 99_999.0, 1e5, 1e9])
def test_quantiles(level: float, freedom: float) -> None:
    wanted = stats.t.ppf(0.5 + level / 2, freedom)
    assert t_quantile(level, freedom) == pytest.approx(wanted, rel=5e-5)
