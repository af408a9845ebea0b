"""Vectors: the moments of each element over training rows, and scaling by them."""

import numpy as np
import numpy.typing as npt

from postclick.data.encode.scaling import LARGEST_SCALED, hold_within
from postclick.data.manifest import VectorColumn
from postclick.data.numbers.moments import Floats


class VectorScaling:
    """Scales the vectors of one feature: the same in training and in scoring.

    >>> column = VectorColumn(name="e", size=2, mean=(1.0, 0.0), std=(2.0, 1.0))
    >>> VectorScaling(column).scale(np.array([[5.0, np.nan], [np.nan, np.nan]])).tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """

    def __init__(self, column: VectorColumn) -> None:
        self.column = column
        # None of a vector that is taken as it is.
        self._mean = np.array(column.mean) if column.mean else None
        self._std = np.array(column.std)
        # None of a vector of an earlier version, which has no limits.
        self._limits = (np.array(column.low), np.array(column.high)) if column.low else None

    def scale(self, values: Floats) -> npt.NDArray[np.float32]:
        """float32 [n, size] of float64 [n, size]; 0 where an element is missing."""
        missing = np.isnan(values)
        if self._limits is not None:
            values = values.copy()
            hold_within(values, *self._limits)
        with np.errstate(over="ignore"):
            scaled = values if self._mean is None else (values - self._mean) / self._std
        scaled = np.where(missing, 0.0, scaled)
        return scaled.clip(-LARGEST_SCALED, LARGEST_SCALED).astype(np.float32)
