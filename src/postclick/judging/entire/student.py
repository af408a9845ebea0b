"""Quantiles of Student's t distribution, also of fractional degrees of freedom, without SciPy."""

from math import atan, exp, lgamma, pi, sqrt, tan
from statistics import NormalDist

import numpy as np

# From here on it is the normal distribution, to four digits.
NORMAL = 1e5
_NODES, _SHARES = np.polynomial.legendre.leggauss(64)


def t_quantile(level: float, freedom: float) -> float:
    """The number t with P(|T| <= t) = `level`, for `freedom` of 1 and more.

    With T = sqrt(f) tan(a) the density of a is proportional to cos(a)^(f - 1), which is summed up
    by Gauss and Legendre's rule and inverted by bisection.

    >>> [round(t_quantile(0.95, f), 4) for f in (1.0, 2.5, 10.0, 1e6)]
    [12.7062, 3.5747, 2.2281, 1.96]
    """
    if freedom >= NORMAL:
        return NormalDist().inv_cdf(0.5 + level / 2.0)
    scale = 2.0 * exp(lgamma((freedom + 1.0) / 2.0) - lgamma(freedom / 2.0)) / sqrt(pi)

    def inside(angle: float) -> float:
        places = 0.5 * angle * (_NODES + 1.0)
        return scale * 0.5 * angle * float(_SHARES @ np.cos(places) ** (freedom - 1.0))

    # Where the normal quantile lies is below; the right angle, which has all, above.
    below, above = atan(NormalDist().inv_cdf(0.5 + level / 2.0) / sqrt(freedom)), pi / 2.0
    for _ in range(80):
        middle = 0.5 * (below + above)
        if inside(middle) < level:
            below = middle
        else:
            above = middle
    return sqrt(freedom) * tan(below)
