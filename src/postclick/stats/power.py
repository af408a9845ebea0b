"""How small a difference a test on so many rows could have seen."""

from math import isfinite
from statistics import NormalDist

from postclick.errors import InputError
from postclick.stats.interval import normal_quantile


def detectable_difference(standard_error: float, level: float = 0.95, power: float = 0.8) -> float:
    """The least true difference that a two-sided test finds with the probability `power`.

    `(z_{1-a/2} + z_power) * standard_error`, in the units of the standard error, where
    `a = 1 - level`: 2.8 standard errors by default. The part of the power that lies in the wrong
    direction is left out; it is below 0.001 at a power of .3 or more. It depends on the design (the
    rows and how the two models' errors go together), not on the difference that was found.

    Raises `InputError` for a standard error that is negative or not finite, and for a level or a
    power outside (0, 1).

    Source: Bloom, "Minimum detectable effects: a simple way to report the statistical power of
    experimental designs", 1995.

    >>> round(detectable_difference(0.01), 4), round(detectable_difference(0.01, power=0.5), 4)
    (0.028, 0.0196)
    """
    if not (isfinite(standard_error) and standard_error >= 0.0):
        raise InputError(
            f"the standard error is {standard_error}; give a finite one that is 0 or above"
        )
    if not 0.0 < power < 1.0:
        raise InputError(f"the power is {power}; give one between 0 and 1, such as 0.8")
    return (normal_quantile(level) + NormalDist().inv_cdf(power)) * standard_error
