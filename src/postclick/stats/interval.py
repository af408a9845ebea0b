"""What estimates with intervals share: the interval, its level, and scores of several seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.inputs import finite_vector


@dataclass(frozen=True)
class Interval:
    """An estimate, its standard error, and the ends of its confidence interval.

    >>> Interval(0.62, 0.01, 0.60, 0.64).value
    0.62
    """

    value: float
    standard_error: float
    low: float
    high: float


def tail(level: float) -> float:
    """The probability on either side of a two-sided interval of this level.

    Raises `InputError` unless `0 < level < 1`.

    >>> round(tail(0.95), 4)
    0.025
    """
    if not 0.0 < level < 1.0:
        raise InputError(f"the level is {level}; give one between 0 and 1, such as 0.95")
    return (1.0 - level) / 2.0


def normal_quantile(level: float) -> float:
    """How many standard errors a normal interval of this level reaches to either side.

    Raises `InputError` unless `0 < level < 1`.

    >>> round(normal_quantile(0.95), 6)
    1.959964
    """
    return -NormalDist().inv_cdf(tail(level))


def percentile_interval(value: float, drawn: NDArray[np.float64], level: float) -> Interval:
    """An estimate with the spread and the percentiles of its resamples, `(resamples,)`, all finite.

    Raises `InputError` unless `0 < level < 1`.

    >>> percentile_interval(2.0, np.array([1.0, 2.0, 3.0]), 0.5)
    Interval(value=2.0, standard_error=1.0, low=1.5, high=2.5)
    """
    below = tail(level)
    low, high = np.quantile(drawn, [below, 1.0 - below])
    return Interval(float(value), float(drawn.std(ddof=1)), float(low), float(high))


def over_seeds(name: str, scores: ArrayLike | Sequence[ArrayLike], rows: int) -> list[NDArray[Any]]:
    """One vector `(rows,)`, or one for each seed, as a list of finite vectors.

    Shapes: `(rows,)`, `(seeds, rows)`, or a list of `(rows,)`. Raises `InputError` for an empty
    list, another number of rows, and values that are not finite.

    >>> len(over_seeds("a", [0.1, 0.2], 2)), len(over_seeds("a", [[0.1, 0.2], [0.3, 0.1]], 2))
    (1, 2)
    """
    given: Any = scores
    if isinstance(given, np.ndarray):
        several = given.ndim > 1
    else:
        # Only the first is looked at: the vectors of all seeds must not be copied into one array.
        several = isinstance(given, list | tuple) and (not given or np.ndim(given[0]) > 0)
    if not several:
        return [finite_vector(name, given, rows)]
    if not len(given):
        raise InputError(f"{name} has no seeds; give one vector of scores or more")
    return [finite_vector(f"{name} of seed {k}", one, rows) for k, one in enumerate(given)]
