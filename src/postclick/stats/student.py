"""Student's t distribution; SciPy is imported for p-values alone, so that intervals need none."""

from math import asinh, gamma, pi, sqrt

import numpy as np

from postclick.stats.interval import normal_quantile

# From here on t is the normal distribution to the last digit.
NORMAL = 1e17
_NODES, _SHARES = np.polynomial.legendre.leggauss(64)


def two_sided_p(t: float, df: float) -> float:
    """The chance of a t as far from 0 as this one, on either side.

    >>> round(two_sided_p(-2.0, 10), 4)
    0.0734
    """
    from scipy.special import stdtr

    return min(1.0, 2.0 * float(stdtr(df, -abs(t))))


def t_quantile(level: float, df: float) -> float:
    """The t with P(|T| <= t) = `level`, for `df` of 1 and more, whole or not.

    With T = sqrt(df) sinh(u) the density of u is proportional to cosh(u)^-df, which is summed up
    by Gauss and Legendre's rule and inverted by bisection: relative errors are below
    2e-14 / (1 - level), so that 12 digits are right at .95 and 10 at .9999.

    Raises `InputError` unless `0 < level < 1`.

    >>> [round(t_quantile(0.95, df), 4) for df in (1.0, 2.5, 4, 1e6)]
    [12.7062, 3.5747, 2.7764, 1.96]
    """
    least = normal_quantile(level)
    if df >= NORMAL:
        return least
    scale = 2.0 / sqrt(pi) * _gamma_ratio(df / 2.0)

    def inside(u: float) -> float:
        """The chance of a T that lies within sqrt(df) sinh(u) of 0."""
        places = 0.5 * u * (_NODES + 1.0)
        density = np.exp(-0.5 * df * np.log1p(np.sinh(places) ** 2))
        return scale * 0.5 * u * float(_SHARES @ density)

    # Tails are heavier than the normal one: its quantile is below.
    below = asinh(least / sqrt(df))
    above = 2.0 * below
    while inside(above) < level:
        above *= 2.0
    for _ in range(60):
        middle = 0.5 * (below + above)
        if inside(middle) < level:
            below = middle
        else:
            above = middle
    return sqrt(df) * float(np.sinh(0.5 * (below + above)))


def _gamma_ratio(x: float) -> float:
    """Gamma(x + 1/2) / Gamma(x), without their overflow.

    Source: Tricomi and Erdelyi, "The asymptotic expansion of a ratio of gamma functions", 1951.
    """
    if x < 150.0:
        return gamma(x + 0.5) / gamma(x)
    series, y = 1.0, 1.0 / x
    for factor in (-21.0 / 160.0, 5.0 / 8.0, -1.0 / 16.0, -1.0 / 8.0):
        series = 1.0 + factor * y * series
    return sqrt(x) * series
