"""PCOC: predicted click (or conversion) over click."""

from typing import Any

from postclick.metrics.metric import LABELS, PREDICTIONS, Quantity
from postclick.metrics.ratio import RatioMetric
from postclick.metrics.rows import Floats, Rows


class PCOC(RatioMetric):
    """Sum of predictions over sum of labels; 1 is right.

    >>> import numpy as np
    >>> rows = Rows(np.array([True, False, False]), np.array([0.0, 0.0, 0.0]))
    >>> PCOC().weighted(rows)(np.ones(3))
    1.5
    """

    name = "pcoc"
    definition = "sum of predictions / sum of labels"
    target = 1.0
    over_positives = True

    def defined_for(self, quantity: Quantity) -> str:
        return f"sum of {PREDICTIONS[quantity]} / {LABELS[quantity]}"

    def summands(self, rows: Rows) -> tuple[Floats, ...]:
        return (rows.prediction,)

    def ratio(self, rows: Any, positives: Any, predictions: Any) -> Any:
        return predictions / positives
