"""Bias: mean prediction less mean label, absolute and relative."""

from collections.abc import Mapping
from typing import Any

from postclick.metrics.metric import SPACES, Reported
from postclick.metrics.ratio import RatioMetric
from postclick.metrics.rows import Floats, Rows


class Bias(RatioMetric):
    """Mean prediction less mean label; 0 is right.

    >>> import numpy as np
    >>> rows = Rows(np.array([0.25, 0.25]), np.array([0.0, 0.0]))
    >>> Bias().weighted(rows)(np.ones(2))
    0.25
    """

    name = "bias"
    definition = "mean prediction - mean label"
    target = 0.0

    @property
    def reported(self) -> Mapping[str, Reported]:
        recorded = (
            "mean pCVR - mean recorded conversion over all impressions; unclicked rows are recorded"
            " as 0, so it penalises correct predictions on unclicked rows"
        )
        return {
            "cvr_bias_recorded": Reported("cvr", ("entire",), recorded),
            "cvr_bias": Reported("true_cvr", SPACES, "mean pCVR - mean true CVR"),
        }

    def summands(self, rows: Rows) -> tuple[Floats, ...]:
        return (rows.prediction,)

    def ratio(self, rows: Any, positives: Any, predictions: Any) -> Any:
        return (predictions - positives) / rows


class RelativeBias(RatioMetric):
    """Mean prediction over mean label, less 1; 0 is right.

    >>> import numpy as np
    >>> rows = Rows(np.array([0.25, 0.25]), np.array([0.0, 0.0]))
    >>> RelativeBias().weighted(rows)(np.ones(2))
    1.0
    """

    name = "relative_bias"
    definition = "mean prediction / mean label - 1"
    target = 0.0
    over_positives = True
    as_percent = True

    @property
    def reported(self) -> Mapping[str, Reported]:
        definition = "mean pCVR / mean true CVR - 1"
        return {"cvr_relative_bias": Reported("true_cvr", SPACES, definition)}

    def summands(self, rows: Rows) -> tuple[Floats, ...]:
        return (rows.prediction,)

    def ratio(self, rows: Any, positives: Any, predictions: Any) -> Any:
        # Not prediction / positives - 1: a small bias would lose digits to the 1.
        return (predictions - positives) / positives
