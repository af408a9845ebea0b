"""Gaussian priors of coefficients, and which coefficients share a variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """Independent Gaussian priors with mean 0.

    Attributes:
        variance: `(p,)`; 0 holds a coefficient at 0, infinite leaves it free.
    """

    variance: Floats

    @property
    def precision(self) -> Floats:
        """`1 / variance`, 0 where the coefficient is free or held."""
        usual = (self.variance > 0) & np.isfinite(self.variance)
        found = np.zeros(self.variance.size)
        np.divide(1.0, self.variance, out=found, where=usual)
        return found

    def scale(self, told: Floats) -> Floats:
        """About the posterior's standard deviations, `(p,)`, 0 where a coefficient is held.

        In these units the posterior is nearly round, which is what descent methods want.

        Args:
            told: `(p,)`, how much the rows say of each coefficient, see `curvature`.
        """
        known = told + self.precision
        found = np.ones(known.size)
        np.divide(1.0, np.sqrt(known), out=found, where=known > 0)
        return np.where(self.variance == 0, 0.0, found)


@dataclass(frozen=True)
class Groups:
    """Which coefficients share a variance.

    Attributes:
        of: int `(p,)`, the group of each coefficient; -1 for one with a variance of its own.
        own: `(p,)`, the variances of those: 0 holds them at 0, infinite leaves them free.
        number: of groups.
    """

    of: NDArray[np.int64]
    own: Floats
    number: int

    def prior(self, variances: Floats) -> Prior:
        """Priors from the variances of the groups, `(number,)`."""
        shared = np.where(self.of < 0, 0, self.of)
        found = variances[shared] if self.number else np.zeros(self.of.size)
        return Prior(np.where(self.of < 0, self.own, found))
