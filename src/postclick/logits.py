"""Logits to probabilities, where neither SciPy nor torch has to be loaded."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def sigmoid(z: NDArray[Any]) -> NDArray[np.float64]:
    """`1 / (1 + exp(-z))` per row, in float64 and without overflow.

    Shape: `(n,)` logits, any float dtype.

    >>> print(sigmoid(np.array([-800.0, 0.0, 800.0])))
    [0.  0.5 1. ]
    """
    x = z.astype(np.float64, copy=False)
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0.0, 1.0, small) / (1.0 + small))
