"""AUC of rows that come in pieces, and what each unit contributes to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Units = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class AucParts:
    """An AUC and its influence function, summed by unit.

    Attributes:
        value: None where a class has no mass.
        influence: `(units,)`, how far each unit moves the AUC; they add up to 0.
        positives, negatives: the mass of either class.
    """

    value: float | None
    influence: Floats
    positives: float
    negatives: float

    @property
    def standard_error(self) -> float:
        """Cluster-robust: units are independent, rows within one need not be."""
        return influence_error(self.influence)


def influence_error(influence: Floats) -> float:
    """Standard error of an estimate from its influence function by unit, `(units,)`.

    Units without rows have an influence of 0 and are not counted.

    >>> influence_error(np.array([0.1, -0.1, 0.0]))
    0.2
    """
    used = int(np.count_nonzero(influence))
    if used < 2:
        return 0.0
    return float(np.sqrt(used / (used - 1) * np.square(influence).sum()))


class StreamedAuc:
    """The exact AUC, ties half, with all positive rows at hand and the negatives piece by piece.

    Memory: the positives (clicks or conversions) and a few numbers for each unit. With soft labels
    a row is both, with two masses.

    With `V10` of a positive row the share of negatives that it outranks, and `V01` of a negative
    row the share of positives that outrank it, a unit moves the AUC by the sum of `(V10 - AUC) / m`
    over its positives and of `(V01 - AUC) / n` over its negatives; the sum of squares of that over
    units is the variance.

    Source: DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated
    receiver operating characteristic curves", 1988; for clusters Obuchowski, "Nonparametric
    analysis of clustered ROC curve data", 1997.

    >>> auc = StreamedAuc(np.array([0.35, 0.8]), None, np.array([0, 1]), units=4)
    >>> auc.add(np.array([0.1, 0.4]), None, np.array([2, 3]))
    >>> auc.parts().value
    0.75
    """

    def __init__(
        self, score: NDArray[Any], mass: NDArray[Any] | None, unit: Units, units: int
    ) -> None:
        """Positive rows: scores on any monotone scale, masses (None for 1 each), units; `(m,)`."""
        order = np.argsort(score)
        self._score, self._unit, self._units = score[order], unit[order], units
        self._mass = None if mass is None else mass[order].astype(np.float64)
        # The mass of positives before each place; without masses that is the place itself.
        self._passed = None if self._mass is None else _before(self._mass)
        # Twice the mass of negatives that came in at each place, half of it before a tie.
        self._came = np.zeros(score.size + 1)
        self._outranked, self._negative = np.zeros(units), np.zeros(units)

    def add(self, score: NDArray[Any], mass: NDArray[Any] | None, unit: Units) -> None:
        """Add negative rows, `(k,)`; arrays are not held."""
        if not score.size:
            return
        order = np.argsort(score)
        sorted_scores = score[order]
        left = np.searchsorted(self._score, sorted_scores, side="left")
        right = left
        inside = np.flatnonzero(left < self._score.size)
        tied = inside[self._score[left[inside]] == sorted_scores[inside]]
        if tied.size:
            right = left.copy()
            right[tied] = np.searchsorted(self._score, sorted_scores[tied], side="right")
        weight = None if mass is None else mass[order].astype(np.float64)
        _add_at(self._came, left, weight, 1.0 if tied.size else 2.0)
        if tied.size:
            _add_at(self._came, right, weight, 1.0)
        passed = 0.5 * (left + right) if tied.size else left
        if self._passed is not None:
            passed = 0.5 * (self._passed[left] + self._passed[right])
        above = self._positives - passed
        of_row = unit[order]
        self._outranked += np.bincount(
            of_row, above if weight is None else above * weight, self._units
        )
        self._negative += np.bincount(of_row, weight, self._units)

    @property
    def _positives(self) -> float:
        return float(self._score.size if self._passed is None else self._passed[-1])

    def parts(self) -> AucParts:
        """The AUC of all rows so far, and each unit's part in it."""
        positives, negatives = self._positives, float(self._negative.sum())
        if not positives or not negatives:
            return AucParts(None, np.zeros(self._units), positives, negatives)
        # Twice the mass of negatives below each positive, ties half.
        doubled = np.cumsum(self._came)[:-1]
        won = 0.5 * doubled if self._mass is None else 0.5 * doubled * self._mass
        pairs = positives * negatives
        value = min(max(float(won.sum()) / pairs, 0.0), 1.0)
        won_by_unit = np.bincount(self._unit, won, self._units)
        positive = np.bincount(self._unit, self._mass, self._units)
        influence = (won_by_unit / negatives - value * positive) / positives
        influence += (self._outranked / positives - value * self._negative) / negatives
        return AucParts(value, influence, positives, negatives)


def _before(mass: Floats) -> Floats:
    """`(m + 1,)`: what comes before each place, and all of it."""
    found = np.zeros(mass.size + 1)
    np.cumsum(mass, out=found[1:])
    return found


def _add_at(sums: Floats, place: NDArray[np.int64], weight: Floats | None, factor: float) -> None:
    """Add weights (1 each without) at places that rise, `(k,)`, in time that goes by k alone."""
    starts = np.flatnonzero(np.concatenate(([True], place[1:] != place[:-1])))
    if weight is None:
        added = np.diff(starts, append=place.size)
    else:
        added = np.add.reduceat(weight, starts)
    sums[place[starts]] += factor * added


def auc_parts(
    score: NDArray[Any],
    label: NDArray[Any],
    unit: Units,
    units: int,
    weight: NDArray[Any] | None = None,
) -> AucParts:
    """The same of rows that are all at hand; `label` is bool, or soft in [0, 1].

    >>> score, label = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    >>> auc_parts(score, label, np.arange(4), 4).value
    0.75
    """
    if label.dtype.kind == "b":
        both = [
            (score[rows], None if weight is None else weight[rows], unit[rows])
            for rows in (label, ~label)
        ]
    else:
        w = 1.0 if weight is None else weight
        up, down = w * label.astype(np.float64), w * (1.0 - label.astype(np.float64))
        both = [(score[m > 0], m[m > 0], unit[m > 0]) for m in (up, down)]
    found = StreamedAuc(*both[0], units)
    found.add(*both[1])
    return found.parts()
