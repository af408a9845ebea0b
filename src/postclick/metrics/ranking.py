"""Metrics of rank: they have no exact state smaller than the scores themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.metrics.metric import Metric, State
from postclick.metrics.rows import Rows


class ScoredRows(State):
    """Scores, labels and, where there are, groups of all rows.

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

    def add(self, rows: Rows) -> None:
        super().add(rows)
        # Copies: callers reuse their batch buffers.
        self._scores.append(np.array(rows.score))
        self._labels.append(np.array(rows.label))
        if rows.group is not None:
            self._groups.append(np.array(rows.group))

    def merge(self, other: ScoredRows) -> None:
        super().merge(other)
        self._scores.extend(list(other._scores))
        self._labels.extend(list(other._labels))
        self._groups.extend(list(other._groups))

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

    @property
    def shared_state(self) -> str:
        return "scored rows"

    def state(self) -> ScoredRows:
        return ScoredRows()


def _joined(pieces: list[NDArray[Any]]) -> NDArray[Any]:
    """All pieces as one, which takes their place."""
    if len(pieces) > 1:
        pieces[:] = [np.concatenate(pieces)]
    return pieces[0]
