"""Structural components of AUCs, after DeLong: what each row, or group of rows, adds to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.gauc import NO_GROUP, as_groups
from postclick.metrics.inputs import as_labels, in_range
from postclick.stats.interval import over_seeds
from postclick.stats.resampling import Units

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
# Shares of sums of weights that differ by less than this are equal but for rounding.
_ROUNDING = 1e-13


@dataclass(frozen=True)
class Contrast:
    """An AUC, or a difference of two, with its standard error over test rows or groups."""

    value: float
    standard_error: float


class Classes:
    """The positive and the negative rows, what each weighs, and which rows belong together.

    >>> found = Classes([1, 0, 1, 0], group=[7, 7, 8, 8]).contrast("a", [0.9, 0.1, 0.8, 0.2])
    >>> found.value, found.standard_error
    (1.0, 0.0)
    """

    def __init__(
        self, label: ArrayLike, group: ArrayLike | None = None, weight: ArrayLike | None = None
    ) -> None:
        """Rows of weight 0 are left out; those of group 0 are units of their own.

        Shapes: `(rows,)` each. Raises `InputError` for labels other than 0/1, groups that are not
        integers, weights that are negative or not finite, lengths that differ, and fewer than 2
        positive or 2 negative rows, or units with such rows.
        """
        positive = as_labels("label", label)
        self.rows = positive.size
        of_row = None if group is None else as_groups("group", group, self.rows)
        w = None
        if weight is not None:
            w = in_range("weight", weight, 0.0, np.inf, self.rows).astype(np.float64)
        self._kept: NDArray[np.bool_] | None = None
        if w is not None and not (w > 0).all():
            self._kept = w > 0
            positive, w = positive[self._kept], w[self._kept]
            of_row = None if of_row is None else of_row[self._kept]
        reason = _too_few(positive, of_row)
        if reason is not None:
            raise InputError(reason)
        self.positive = positive
        self._weights = None if w is None else (w[positive], w[~positive])
        self._units: tuple[Counts, Counts] | None = None
        if of_row is not None or w is not None:
            units = Units(positive.size, of_row)
            unit = np.arange(positive.size) if units.of_row is None else units.of_row
            self._units, self._count = (unit[positive], unit[~positive]), units.count

    def contrast(
        self,
        name: str,
        scores: ArrayLike | Sequence[ArrayLike],
        minus: tuple[str, ArrayLike | Sequence[ArrayLike]] | None = None,
    ) -> Contrast:
        """The AUC of `scores`, less that of the scores that `minus` names, each a mean over seeds.

        Raises `InputError` for scores that are not finite or of another length.
        """
        won, lost, scale = self._over_seeds(name, scores)
        if minus is not None:
            won_b, lost_b, seeds_b = self._over_seeds(*minus)
            # Over the common denominator: equal rankings differ by exactly 0.
            won, lost = won * seeds_b - won_b * scale, lost * seeds_b - lost_b * scale
            scale *= seeds_b
        if self._weights is not None:
            return self._of_masses(won, lost, scale)
        value = int(won.sum()) / (2 * won.size * lost.size * scale)
        of_positives = _centred(won, 2 * lost.size * scale)
        of_negatives = _centred(lost, 2 * won.size * scale)
        if self._units is None:
            return Contrast(value, _by_row(of_positives, of_negatives))
        shares = of_positives / won.size, of_negatives / lost.size
        return Contrast(value, self._by_unit(*shares))

    def _of_masses(self, won: Floats, lost: Floats, scale: int) -> Contrast:
        """The same where rows weigh something, and counts are sums of weights."""
        above, below = self._weights or (won, lost)
        up, down = float(above.sum()), float(below.sum())
        of_positives, of_negatives = won / (2 * down * scale), lost / (2 * up * scale)
        value = float(above @ of_positives) / up
        shares = (
            above / up * _deviations(of_positives, above / up),
            below / down * _deviations(of_negatives, below / down),
        )
        return Contrast(value if abs(value) > _ROUNDING else 0.0, self._by_unit(*shares))

    def _by_unit(self, of_positives: Floats, of_negatives: Floats) -> float:
        """Obuchowski's variance: each class's sums over a unit, and their products within it."""
        if self._units is None:
            raise ValueError("there are no units")
        ups, downs = (
            np.bincount(unit, shares, self._count)
            for unit, shares in zip(self._units, (of_positives, of_negatives), strict=True)
        )
        with_positives, with_negatives = (float(np.unique(unit).size) for unit in self._units)
        variance = float(ups @ ups) * with_positives / (with_positives - 1)
        variance += float(downs @ downs) * with_negatives / (with_negatives - 1)
        variance += 2 * float(ups @ downs) * self._count / (self._count - 1)
        return sqrt(max(0.0, variance))  # below 0 by rounding alone

    def _over_seeds(
        self, name: str, scores: ArrayLike | Sequence[ArrayLike]
    ) -> tuple[NDArray[Any], NDArray[Any], int]:
        """The counts summed over seeds, and the number of seeds."""
        vectors = over_seeds(name, scores, self.rows)
        won, lost = self._counted(vectors[0])
        for score in vectors[1:]:
            more_won, more_lost = self._counted(score)
            won += more_won
            lost += more_lost
        return won, lost, len(vectors)

    def _counted(self, score: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Twice the negatives below each positive, and the positives above each negative.

        Ties count half; where rows have weights, these are added up in place of rows.
        """
        score = score if self._kept is None else score[self._kept]
        above, below = score[self.positive], score[~self.positive]
        above_order, below_order = np.argsort(above), np.argsort(below)
        above, below = above[above_order], below[below_order]
        up = down = None
        if self._weights is not None:
            up, down = (
                np.concatenate(([0.0], np.cumsum(weights[order])))
                for weights, order in zip(self._weights, (above_order, below_order), strict=True)
            )
        won, lost = _passed(below, above, down), _passed(above, below, up)
        lost = 2 * (above.size if up is None else up[-1]) - lost
        in_order = np.empty_like(won), np.empty_like(lost)
        in_order[0][above_order], in_order[1][below_order] = won, lost
        return in_order


def auc_error_undefined(
    label: ArrayLike, group: ArrayLike | None = None, weight: ArrayLike | None = None
) -> str | None:
    """Why an AUC of these rows has no standard error; None where it has one.

    Arguments, shapes and errors: as those of `Classes`, which refuses such rows.

    >>> auc_error_undefined([0, 0, 1, 1]) is None
    True
    >>> auc_error_undefined([0, 0, 0, 1])
    'label has 1 positive and 3 negative rows; a standard error of AUC needs 2 or more of each'
    """
    positive = as_labels("label", label)
    of_row = None if group is None else as_groups("group", group, positive.size)
    if weight is not None:
        kept = in_range("weight", weight, 0.0, np.inf, positive.size) > 0
        positive, of_row = positive[kept], None if of_row is None else of_row[kept]
    return _too_few(positive, of_row)


def _too_few(positive: NDArray[np.bool_], group: Counts | None) -> str | None:
    m = int(np.count_nonzero(positive))
    n = positive.size - m
    if min(m, n) < 2:
        return (
            f"label has {m:,} positive and {n:,} negative rows; "
            "a standard error of AUC needs 2 or more of each"
        )
    for one in () if group is None else (group[positive], group[~positive]):
        if one[0] != NO_GROUP and (one == one[0]).all():
            return (
                "all rows of one class are in one group; a standard error of AUC by group "
                "needs positive rows in 2 groups or more, and negative ones too"
            )
    return None


def _passed(others: NDArray[Any], score: NDArray[Any], mass: Floats | None) -> NDArray[Any]:
    """Twice the others below each score, ties half, or twice their mass; all of it sorted.

    Both sides are: so the look-ups walk through memory instead of jumping.
    """
    found = np.searchsorted(others, score, side="left")
    if mass is None:
        found += np.searchsorted(others, score, side="right")
        return found
    below = mass[found]
    below += mass[np.searchsorted(others, score, side="right")]
    return below


def _centred(counts: Counts, pairs: int) -> Floats:
    # Off a whole number first: equal counts become exactly 0, not the rounding of their mean.
    shares = (counts - counts[0]) / pairs
    return np.asarray(shares - shares.mean())


def _deviations(values: Floats, shares: Floats) -> Floats:
    """From the mean of all, in which each has its share; 0 where there is only rounding."""
    off = values - values[0]
    if float(np.abs(off).max()) <= _ROUNDING:
        return np.zeros_like(off)
    return np.asarray(off - float(shares @ off))


def _by_row(of_positives: Floats, of_negatives: Floats) -> float:
    m, n = of_positives.size, of_negatives.size
    variance = float(of_positives @ of_positives) / ((m - 1) * m)
    return sqrt(variance + float(of_negatives @ of_negatives) / ((n - 1) * n))
