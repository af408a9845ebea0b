"""Metrics of rank: they have no exact state smaller than the scores themselves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.metrics.metric import Groups, Metric, State
from postclick.metrics.rows import Rows


class ScoredRows(State):
    """Scores, labels and, where there are, groups and weights of all rows.

    They are kept in the precision they came in, in pieces, and joined when asked for.

    >>> kept = ScoredRows()
    >>> kept.add(Rows(np.array([True, False]), np.array([0.5, 0.1])))
    >>> kept.merge(kept)
    >>> kept.rows, kept.score.tolist()
    (4, [0.5, 0.1, 0.5, 0.1])
    """

    def __init__(self) -> None:
        super().__init__()
        self._scores: list[NDArray[Any]] = []
        self._labels: list[NDArray[Any]] = []
        self._groups: list[NDArray[np.int64]] = []
        self._weights: list[NDArray[np.float64]] = []

    def add(self, rows: Rows) -> None:
        self._weigh(rows.weight is not None, rows.weight, len(rows))
        super().add(rows)
        # Copies: callers reuse their batch buffers.
        self._scores.append(np.array(rows.score))
        self._labels.append(np.array(rows.label))
        if rows.group is not None:
            self._groups.append(np.array(rows.group))

    def merge(self, other: ScoredRows) -> None:
        self._weigh(other.weighted, other.weight, other.rows)
        super().merge(other)
        self._scores.extend(list(other._scores))
        self._labels.extend(list(other._labels))
        self._groups.extend(list(other._groups))

    def _weigh(self, weighted: bool, weight: NDArray[np.float64] | None, rows: int) -> None:
        """Keep the weights of more rows; of 1, as soon as some row has another."""
        if not (weighted or self.weighted):
            return
        if not self.weighted:
            self._weights.append(np.ones(self.rows))
        self._weights.append(np.ones(rows) if weight is None else np.array(weight))

    @property
    def weight(self) -> NDArray[np.float64] | None:
        """How many impressions each row stands for; None for one each."""
        return _joined(self._weights) if self.weighted else None

    def as_rows(self) -> Rows:
        """The rows as they came, for `Metric.weighted`: predictions are in their scores alone."""
        return Rows(self.label, self.score, _joined(self._groups) if self._groups else None)

    @property
    def score(self) -> NDArray[Any]:
        return _joined(self._scores)

    @property
    def label(self) -> NDArray[Any]:
        return _joined(self._labels)

    @property
    def group(self) -> NDArray[np.int64]:
        """Of each row; empty where rows came without."""
        return _joined(self._groups) if self._groups else np.empty(0, np.int64)


class RankingMetric(Metric[ScoredRows]):
    """A metric of all scores and labels at once; all such metrics share one copy of these.

    Where rows have weights its value is what `weighted` makes of them, else what `compute` does.

    >>> class Highest(RankingMetric):
    ...     name, definition, higher_is_better = "highest", "label of the highest score", True
    ...     def compute(self, state):
    ...         return float(state.label[state.score.argmax()])
    ...     def weighted(self, rows):
    ...         order = rows.score.argsort()
    ...         return lambda weights: float(rows.label[order][weights[order] > 0][-1])
    >>> rows = Rows(np.array([True, False]), np.array([0.5, 0.1]))
    >>> Highest().weighted(rows)(np.array([0.0, 2.0]))
    0.0
    """

    weighs_rows = True

    @property
    def shared_state(self) -> str:
        return "scored rows"

    def state(self) -> ScoredRows:
        return ScoredRows()

    def measured(self, state: ScoredRows) -> tuple[float | None, Groups | None]:
        weight = state.weight
        if weight is None:
            return self.with_groups(state)
        value = self.weighted(state.as_rows())(weight)
        groups = self.with_groups(state)[1] if "group" in self.needs else None
        return (None if math.isnan(value) else value), groups


def _joined(pieces: list[NDArray[Any]]) -> NDArray[Any]:
    """All pieces as one, which takes their place."""
    if len(pieces) > 1:
        pieces[:] = [np.concatenate(pieces)]
    return pieces[0]
