"""Metrics that follow from sums over rows, such as means and ratios."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from postclick.metrics.metric import Metric, State, Where
from postclick.metrics.rows import Floats, Rows


class Sums(State):
    """Sums over rows of what a metric adds up, each row as often as it counts.

    >>> sums = Sums(lambda rows: (rows.prediction,))
    >>> sums.add(Rows(np.array([True, False]), np.array([0.0, 0.0])))
    >>> sums.rows, sums.positives, sums.totals
    (2, 1.0, [1.0])
    """

    def __init__(self, summands: Callable[[Rows], Sequence[Floats]]) -> None:
        super().__init__()
        self.totals: list[float] = []
        self._summands = summands

    def add(self, rows: Rows) -> None:
        super().add(rows)
        self._plus([rows.total(summand) for summand in self._summands(rows)])

    def merge(self, other: Sums) -> None:
        super().merge(other)
        self._plus(other.totals)

    def _plus(self, more: list[float]) -> None:
        if more:
            held = self.totals or [0.0] * len(more)
            self.totals = [a + b for a, b in zip(held, more, strict=True)]


class RatioMetric(Metric[Sums]):
    """A metric of the number of rows, the sum of labels, and sums of other things over rows.

    Two methods make one: `summands` of each row, and `ratio` of the sums. Both also take what the
    bootstrap gives them: `ratio` works on numbers and on arrays alike.

    >>> class Brier(RatioMetric):
    ...     name, definition, higher_is_better = "brier", "mean squared error", False
    ...     def summands(self, rows):
    ...         return (np.square(rows.prediction - rows.label),)
    ...     def ratio(self, rows, positives, squares):
    ...         return squares / rows
    >>> rows = Rows(np.array([True, False]), np.array([0.0, 0.0]))
    >>> Brier().weighted(rows)(np.ones(2))
    0.25
    """

    # Whether the sum of labels is divided by, so that there is no value where it is 0.
    over_positives = False
    weighs_rows = True

    @abstractmethod
    def summands(self, rows: Rows) -> Sequence[Floats]:
        """What is summed up, shapes `(n,)`."""

    @abstractmethod
    def ratio(self, rows: Any, positives: Any, *sums: Any, **_none: Any) -> Any:
        """The value from the number of rows, the sum of labels, and the sums of `summands`.

        Where rows have weights, from the sum of these, and from weighted sums of the rest. Called
        with as many sums as there are summands, and never by name.
        """

    def state(self) -> Sums:
        return Sums(self.summands)

    def compute(self, state: Sums) -> float | None:
        if self.over_positives and state.positives == 0:
            return None
        return self._value(state.size, state.positives, state.totals)

    def undefined(self, state: Sums, where: Where) -> str:
        if self.over_positives and state.positives == 0:
            return f"sum of labels is 0: {where.no_positives}"
        return super().undefined(state, where)

    def weighted(self, rows: Rows) -> Callable[[Floats], float]:
        label, summands = rows.label.astype(np.float64), self.summands(rows)

        def value(weights: Floats) -> float:
            totals = [float(weights @ summand) for summand in summands]
            return self._value(float(weights.sum()), float(weights @ label), totals)

        return value

    def _value(self, rows: float, positives: float, totals: Sequence[float]) -> float:
        # numpy's numbers give NaN or infinity where Python's would raise.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            sums = (np.float64(total) for total in totals)
            return float(self.ratio(np.float64(rows), np.float64(positives), *sums))
