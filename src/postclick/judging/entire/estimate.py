"""One estimate with its interval, from what each unit adds to it (its influence)."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, isfinite, log, sqrt
from typing import Any, Literal

import numpy as np

from postclick.errors import InputError
from postclick.judging.entire.assumptions import ASSUMPTIONS, Estimator
from postclick.judging.entire.inputs import Floats
from postclick.metrics.propensity import effective_sample_size
from postclick.stats.student import t_quantile

# On which scale an estimate is taken to be normal: ratios on that of their logarithm, so that
# their intervals stay positive and lean to the side that few conversions lean to.
Scale = Literal["plain", "log", "logit"]


@dataclass(frozen=True)
class Estimate:
    """A figure over all impressions: with its interval, or with the reason for none.

    Attributes:
        metric: `mean_cvr`, `pcoc`, `nll` or `auc`.
        estimator: `snipw` or `dr`.
        value, standard_error, low, high: None, all four, if it is undefined.
        undefined: why, in words; else None.
        degrees_of_freedom: how many units the standard error rests on, in effect; below some 10 an
            interval is a rough guide.
        influence: `(units,)`, the first-order share of each unit in the estimate's error; sums to
            0. What two estimates on the same rows differ by has the difference of these.

    >>> Estimate("nll", "dr", 0.2, 0.01, 0.18, 0.22, None).as_dict()["value"]
    0.2
    """

    metric: str
    estimator: Estimator
    value: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    undefined: str | None
    degrees_of_freedom: float | None = None
    influence: Floats | None = field(default=None, repr=False, compare=False)

    @property
    def assumption(self) -> str:
        """What has to hold for it to be right, in words."""
        return ASSUMPTIONS[self.estimator]

    def as_dict(self) -> dict[str, Any]:
        """As written to JSON; the assumption is the estimator's and stands once beside all."""
        names = ("value", "standard_error", "low", "high", "degrees_of_freedom", "undefined")
        return {name: getattr(self, name) for name in names}


def undefined(metric: str, estimator: Estimator, reason: str) -> Estimate:
    """An estimate without a value.

    >>> undefined("auc", "snipw", "no conversions").value is None
    True
    """
    return Estimate(metric, estimator, None, None, None, None, reason)


def estimate(
    metric: str,
    estimator: Estimator,
    value: float,
    influence: Floats,
    units: int,
    scale: Scale,
    level: float,
) -> Estimate:
    """The estimate with its interval on a scale.

    With U units that have impressions and influences psi, the variance is
    `U / (U - 1) * sum psi^2`: rows within a unit may depend on each other in any way. The interval
    is of Student's t with `(sum psi^2)^2 / sum psi^4` degrees of freedom, Kish's effective number
    of the squared influences: where few conversions of large weight make up the variance, it is
    known from few.

    Source: Liang and Zeger, "Longitudinal data analysis using generalized linear models", 1986
    (the sandwich over clusters).

    >>> found = estimate("pcoc", "dr", 2.0, np.array([0.1, -0.1]), 2, "log", 0.95)
    >>> round(found.standard_error, 3), round(found.low, 3), round(found.high, 3)
    (0.2, 1.301, 3.075)
    """
    if not 0.0 < level < 1.0:
        raise InputError(f"the level is {level}; give one between 0 and 1, such as 0.95")
    if units < 2:
        return undefined(metric, estimator, "all impressions are of one unit: no interval")
    if not isfinite(value) or not np.isfinite(influence).all():
        return undefined(metric, estimator, "infinite: a prediction of exactly 0 or 1 was wrong")
    error = sqrt(units / (units - 1) * float(influence @ influence))
    freedom = max(1.0, effective_sample_size(np.square(influence)))
    low, high = _ends(value, t_quantile(level, freedom) * error, scale)
    return Estimate(metric, estimator, value, error, low, high, None, freedom, influence)


def _ends(value: float, reach: float, scale: Scale) -> tuple[float, float]:
    if scale == "log" and value > 0.0:
        step = reach / value
        return value * exp(-step), value * _exp(step)
    if scale == "logit" and 0.0 < value < 1.0:
        centre = log(value) - log(1.0 - value)
        step = reach / (value * (1.0 - value))
        low, high = (1.0 / (1.0 + _exp(-(centre + side * step))) for side in (-1, 1))
        return low, high
    return value - reach, value + reach


def _exp(x: float) -> float:
    """Infinite where it would be too large a number."""
    return exp(x) if x < 709.0 else float("inf")
