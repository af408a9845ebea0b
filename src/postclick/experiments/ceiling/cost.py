"""A figure over draws: its mean, standard error and interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from postclick.stats.student import t_quantile

LEVEL = 0.95


@dataclass(frozen=True)
class Cost:
    """A mean over draws, with what is known of it.

    Attributes:
        draws: how many.
        mean: over them.
        standard_error: of the mean; None of one draw.
        low, high: the 95 % interval by Student's t; None of one draw.
    """

    draws: int
    mean: float
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Cost":
        """Of one value for each draw.

        >>> found = Cost.of([0.010, 0.014, 0.012])
        >>> round(found.mean, 4), round(found.standard_error, 4), round(found.low, 4)
        (0.012, 0.0012, 0.007)
        """
        n, mean = len(values), float(np.mean(values))
        if n < 2:
            return cls(n, mean)
        error = float(np.std(values, ddof=1)) / sqrt(n)
        reach = t_quantile(LEVEL, n - 1) * error
        return cls(n, mean, error, mean - reach, mean + reach)

    @property
    def sign(self) -> Literal[-1, 0, 1]:
        """Of the mean where the interval leaves 0 out, else 0."""
        if self.low is not None and self.low > 0:
            return 1
        return -1 if self.high is not None and self.high < 0 else 0
