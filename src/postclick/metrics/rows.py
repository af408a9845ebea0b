"""What a metric sees: predictions and labels of one quantity on one space."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.logits import sigmoid
from postclick.metrics.likelihood import cross_entropy

Floats = NDArray[np.float64]


class Rows:
    """Some rows of one quantity on one space; probabilities and losses only where asked for.

    Attributes:
        label: `(n,)`, bool, or soft in [0, 1].
        score: `(n,)`, what rows are ranked by: logits, of pCTCVR its logarithm.
        group: int64 `(n,)`, or None where there are no groups; 0 is no group.
        weight: how many impressions each row stands for, float64 `(n,)`, or None for one each.

    >>> rows = Rows(np.array([True, False]), np.array([0.0, 2.0]))
    >>> print(rows.prediction, rows.nll, rows.positives)
    [0.5        0.88079708] [0.69314718 2.12692801] 1.0
    >>> print(rows.where(np.array([False, True])).prediction)
    [0.88079708]
    """

    def __init__(
        self,
        label: NDArray[Any],
        score: NDArray[Any],
        group: NDArray[np.int64] | None = None,
        *,
        prediction: Callable[[], Floats] | None = None,
        nll: Callable[[], Floats] | None = None,
        weight: Floats | None = None,
    ) -> None:
        """`prediction` and `nll` say how to get these where scores are not logits."""
        self.label, self.score, self.group, self.weight = label, score, group, weight
        self._prediction, self._nll = prediction, nll

    def __len__(self) -> int:
        return int(self.label.size)

    @cached_property
    def size(self) -> float:
        """How many impressions the rows stand for: as many, if they weigh nothing else."""
        return float(len(self) if self.weight is None else self.weight.sum())

    @cached_property
    def positives(self) -> float:
        """The sum of the labels, each as often as its row counts."""
        if self.weight is not None:
            return float((self.weight * self.label).sum())
        return float(self.label.sum(dtype=np.float64))

    def total(self, values: Floats) -> float:
        """The sum of values, shape `(n,)`, each as often as its row counts.

        >>> rows = Rows(np.array([True, False]), np.zeros(2), weight=np.array([3.0, 1.0]))
        >>> rows.total(rows.prediction), rows.positives, rows.size
        (2.0, 3.0, 4.0)
        """
        if self.weight is None:
            return float(values.sum())
        # A row that counts for nothing adds nothing, whatever its value: 0 x infinity is no number.
        counted = np.zeros(len(self))
        np.multiply(self.weight, values, out=counted, where=self.weight > 0)
        return float(counted.sum())

    @cached_property
    def prediction(self) -> Floats:
        """Predicted probability of each row, `(n,)`."""
        return sigmoid(self.score) if self._prediction is None else self._prediction()

    @cached_property
    def nll(self) -> Floats:
        """Cross-entropy of each row in nats, `(n,)`."""
        return cross_entropy(self.score, self.label) if self._nll is None else self._nll()

    def without_group(self) -> Rows:
        """The same rows, of no groups; what has been computed of them stays shared."""
        if self.group is None:
            return self
        return Rows(
            self.label,
            self.score,
            prediction=lambda: self.prediction,
            nll=lambda: self.nll,
            weight=self.weight,
        )

    def where(self, chosen: NDArray[np.bool_]) -> Rows:
        """The rows at which `chosen`, bool `(n,)`, is true."""
        return Rows(
            self.label[chosen],
            self.score[chosen],
            None if self.group is None else self.group[chosen],
            prediction=lambda: self.prediction[chosen],
            nll=None if self._nll is None else lambda: self.nll[chosen],
            weight=None if self.weight is None else self.weight[chosen],
        )
