"""The state behind the metrics of one quantity on one space, and the metrics computed from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.metrics.auc import auc, weighted_auc
from postclick.metrics.metric import Metric, MetricValue, Space, Statistic


class Cell:
    """Sums over the rows of one space, and their scores and labels for AUC.

    AUC has no exact state smaller than the scores themselves: they are kept in the precision they
    came in, in pieces, and joined when asked for.

    >>> cell = Cell()
    >>> score, label = np.array([0.0, 2.0]), np.array([False, True])
    >>> cell.add(label, prediction=np.array([0.5, 0.88]), nll=np.array([0.69, 0.13]), score=score)
    >>> cell.merge(cell)
    >>> cell.rows, cell.positives, cell.auc()
    (4, 2.0, 1.0)
    """

    def __init__(self) -> None:
        self.rows = 0
        self.positives = 0.0
        self.prediction = 0.0
        self.nll = 0.0
        self._scores: list[NDArray[Any]] = []
        self._labels: list[NDArray[Any]] = []

    def add(
        self,
        label: NDArray[Any],
        *,
        prediction: NDArray[np.float64],
        nll: NDArray[np.float64] | None = None,
        score: NDArray[Any] | None = None,
    ) -> None:
        """Add rows: 0/1 or soft labels, probabilities, losses, scores; shapes `(n,)`.

        Leave `nll` and `score` out where no metric needs them.
        """
        self.rows += label.size
        self.positives += float(label.sum(dtype=np.float64))
        self.prediction += float(prediction.sum())
        if nll is not None:
            self.nll += float(nll.sum())
        if score is not None:
            # Copies: callers reuse their batch buffers.
            self._scores.append(np.array(score))
            self._labels.append(np.array(label))

    def merge(self, other: Cell) -> None:
        """Add the rows of `other`, which stays as it is."""
        self.rows += other.rows
        self.positives += other.positives
        self.prediction += other.prediction
        self.nll += other.nll
        self._scores.extend(other._scores)
        self._labels.extend(other._labels)

    def auc(self) -> float | None:
        """Exact AUC over all rows; None if one class is empty."""
        if not self._scores:
            return None
        if len(self._scores) > 1:
            self._scores = [np.concatenate(self._scores)]
            self._labels = [np.concatenate(self._labels)]
        score, label = self._scores[0], self._labels[0]
        if label.dtype.kind == "b":
            return auc(score, label)
        mass = label.astype(np.float64, copy=False)
        return weighted_auc(score, mass, 1.0 - mass)


def measure(metric: Metric, space: Space, cell: Cell) -> MetricValue:
    """The value of `metric` on `space`, or the reason why it has none.

    >>> from postclick.metrics.metric import metric_named
    >>> measure(metric_named("cvr_auc"), "clicked", Cell()).undefined
    'no clicked rows'
    """
    value, reason = None, _undefined(metric, space, cell)
    if reason is None:
        value = _COMPUTE[metric.statistic](cell)
        if value is None:  # only AUC, and the rest of the cases are told in _undefined
            reason = f"no negatives: {metric.labels} on all {_where(space, cell)}"
        elif not math.isfinite(value):
            value, reason = None, f"the sum is not finite over {_where(space, cell)}"
            if metric.statistic is Statistic.NLL:
                reason = "infinite: a prediction of exactly 0 or 1 was wrong"
    return MetricValue(metric.name, space, value, reason, cell.rows, cell.positives)


def _undefined(metric: Metric, space: Space, cell: Cell) -> str | None:
    if not cell.rows:
        return f"no {_adjective(space)}rows"
    if cell.positives == 0:
        none = f"no {metric.labels} among {_where(space, cell)}"
        if metric.statistic is Statistic.AUC:
            return none
        if metric.statistic in (Statistic.PCOC, Statistic.RELATIVE_BIAS):
            return f"sum of labels is 0: {none}"
    return None


def _adjective(space: Space) -> str:
    return "" if space == "entire" else f"{space} "


def _where(space: Space, cell: Cell) -> str:
    return f"{cell.rows:,} {_adjective(space)}row{'s' if cell.rows != 1 else ''}"


_COMPUTE: Mapping[Statistic, Callable[[Cell], float | None]] = {
    Statistic.AUC: Cell.auc,
    Statistic.NLL: lambda cell: cell.nll / cell.rows,
    Statistic.PCOC: lambda cell: cell.prediction / cell.positives,
    Statistic.BIAS: lambda cell: (cell.prediction - cell.positives) / cell.rows,
    # Not prediction / positives - 1: a small bias would lose digits to the 1.
    Statistic.RELATIVE_BIAS: lambda cell: (cell.prediction - cell.positives) / cell.positives,
}
