"""A metric: the Brier score."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.metrics import RatioMetric, Rows


class Brier(RatioMetric):
    """Mean squared error of probabilities against labels. Source: Brier, 1950."""

    name = "brier"
    definition = "mean squared error"
    higher_is_better = False

    def summands(self, rows: Rows) -> tuple[NDArray[np.float64], ...]:
        return (np.square(rows.prediction - rows.label),)

    def ratio(self, rows: Any, positives: Any, squares: Any) -> Any:
        return squares / rows
