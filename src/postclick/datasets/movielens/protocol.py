"""From completed ratings to levels, propensities and conversion rates."""

from collections.abc import Sequence

import numpy as np

from postclick.datasets.movielens.completion import Floats, Ints
from postclick.errors import InputError

LEVELS = 5


def rating_levels(predicted: Floats, proportions: Sequence[float]) -> Ints:
    """Sort ratings and hand out the levels 1 to 5 from the lowest up, in fixed proportions.

    Args:
        predicted: shape (n,); of equal ratings the earlier counts as lower.
        proportions: share of each level, adding up to 1.

    Returns:
        shape (n,), 1 to 5. The number of each differs from `n * share` by less than 1.

    >>> rating_levels(np.array([3.2, 0.5, 4.4, 2.0]), [0.5, 0.25, 0.0, 0.0, 0.25])
    array([2, 1, 5, 1])
    """
    ends = np.rint(np.cumsum(proportions) * predicted.size).astype(np.int64)
    level = np.empty(predicted.size, dtype=np.int64)
    order = np.argsort(predicted, kind="stable")
    level[order] = 1 + np.searchsorted(ends[:-1], np.arange(predicted.size), side="right")
    return level


def propensities(level: Ints, alpha: float, ctr: float) -> tuple[Floats, float]:
    """Click probability of each pair: `p0 * alpha ** max(0, 4 - level)`, its mean being `ctr`.

    Returns:
        shape (n,), and p0, the probability at levels 4 and 5.

    Raises:
        InputError: no p0 up to 1 gives that mean.

    >>> propensity, p0 = propensities(np.array([1, 3, 4, 5]), 0.5, 0.21)
    >>> propensity.round(3).tolist(), round(p0, 3)
    ([0.04, 0.16, 0.32, 0.32], 0.32)
    """
    relative = np.power(alpha, np.maximum(0, 4 - level))
    most = float(relative.mean())
    if ctr > most:
        raise InputError(
            f"data set movielens: with alpha={alpha} and these proportions ctr can be "
            f"{np.floor(1000 * most) / 1000} at most, found {ctr}: lower ctr or raise alpha"
        )
    p0 = ctr / most
    return p0 * relative, p0
