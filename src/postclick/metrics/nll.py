"""NLL: mean cross-entropy, in nats."""

import math
from typing import Any

from postclick.metrics.metric import WITH_TRUTH, Where
from postclick.metrics.ratio import RatioMetric, Sums
from postclick.metrics.rows import Floats, Rows


class NLL(RatioMetric):
    """Mean of `-[y ln p + (1 - y) ln(1 - p)]`, in logit space; a proper score, lower is better.

    >>> import numpy as np
    >>> rows = Rows(np.array([True, False]), np.array([0.0, 0.0]))
    >>> round(NLL().weighted(rows)(np.ones(2)), 6)
    0.693147
    """

    name = "nll"
    definition = "mean cross-entropy"
    higher_is_better = False
    quantities = WITH_TRUTH
    constant_in_one_class = True
    has_baseline = True

    def summands(self, rows: Rows) -> tuple[Floats, ...]:
        return (rows.nll,)

    def ratio(self, rows: Any, positives: Any, nll: Any) -> Any:
        return nll / rows

    def undefined(self, state: Sums, where: Where) -> str:
        return "infinite: a prediction of exactly 0 or 1 was wrong"

    def baseline(self, rows: float, positives: float) -> float | None:
        """The entropy of the mean label; with the true CVR as label the NLL of its mean."""
        rate = positives / rows
        return -sum(p * math.log(p) for p in (rate, 1 - rate) if p > 0)
