"""Standard errors of AUCs and of their differences on one test set, after DeLong."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from postclick.errors import InputError
from postclick.metrics.inputs import as_labels
from postclick.stats.interval import Interval, over_seeds, tail

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class AucDifference:
    """AUC of a minus AUC of b; `p` is None where there is none, and `undefined` says why.

    >>> AucDifference(0.01, 0.004, 0.002, 0.018, 0.012).undefined is None
    True
    """

    difference: float
    standard_error: float
    low: float
    high: float
    p: float | None
    undefined: str | None = None


def auc_interval(
    scores: ArrayLike | Sequence[ArrayLike], label: ArrayLike, level: float = 0.95
) -> Interval:
    """AUC with its standard error over test rows and a normal interval, cut at 0 and 1.

    With `m` positives and `n` negatives, the structural component of a positive is the share of
    negatives that it outranks, that of a negative the share of positives that outrank it, ties
    half. The variance is the sample variance of the first over `m` plus that of the second over
    `n`. Exact: pairs are counted in integers, after one sort of each class.

    `scores` may be a list with one vector for each seed: then it is the mean AUC over seeds. The
    trained models are taken as given; the interval says what other test rows could have shown,
    not what other seeds could. With every positive above every negative the standard error is 0
    and the interval says nothing.

    Shapes: `(rows,)` on any monotone scale, `label` `(rows,)` of 0/1. Raises `InputError` for
    scores that are not finite, other labels, lengths that differ, fewer than 2 positive or 2
    negative rows, and a level outside (0, 1).

    Source: DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated
    receiver operating characteristic curves: a nonparametric approach", 1988; in O(n log n) as in
    Sun and Xu, "Fast implementation of DeLong's algorithm for comparing the areas under correlated
    receiver operating characteristic curves", 2014 (a component is a difference of two mid-ranks:
    the count of the other class below, ties half).

    >>> found = auc_interval([0.1, 0.4, 0.35, 0.8, 0.9, 0.2], [0, 0, 1, 1, 1, 0])
    >>> round(found.value, 3), round(found.standard_error, 3), round(found.low, 3), found.high
    (0.889, 0.157, 0.581, 1.0)
    """
    z = -float(ndtri(tail(level)))
    positive = _classes(label)
    won, lost, seeds = _over_seeds("scores", scores, positive)
    value = int(won.sum()) / (2 * won.size * lost.size * seeds)
    error = _standard_error(won, lost, seeds)
    return Interval(value, error, max(0.0, value - z * error), min(1.0, value + z * error))


def auc_difference(
    scores_a: ArrayLike | Sequence[ArrayLike],
    scores_b: ArrayLike | Sequence[ArrayLike],
    label: ArrayLike,
    level: float = 0.95,
) -> AucDifference:
    """AUC of a minus AUC of b on the same rows: standard error, normal interval, two-sided p.

    Either side may be a list with one vector for each seed: then the mean AUCs over seeds are
    compared, from structural components averaged over seeds. Only the test rows are random here;
    a t-test over seeds asks the other question. Memory does not grow with the number of seeds.

    Two cases have no noise to test against and are told apart: without a difference p is 1, with
    one there is no p (`undefined`).

    Shapes, errors and source: as `auc_interval`.

    >>> label = [0, 0, 0, 1, 1, 1]
    >>> a, b = [0.1, 0.2, 0.7, 0.3, 0.8, 0.9], [0.5, 0.2, 0.8, 0.3, 0.1, 0.9]
    >>> found = auc_difference([a, a], b, label)
    >>> round(found.difference, 3), round(found.standard_error, 3), round(found.p, 3)
    (0.444, 0.314, 0.157)
    """
    z = -float(ndtri(tail(level)))
    positive = _classes(label)
    won, lost, seeds = _over_seeds("scores_a", scores_a, positive)
    won_b, lost_b, seeds_b = _over_seeds("scores_b", scores_b, positive)
    # Whole numbers over the common denominator: equal rankings differ by exactly 0.
    won, lost = won * seeds_b - won_b * seeds, lost * seeds_b - lost_b * seeds
    scale = seeds * seeds_b
    value = int(won.sum()) / (2 * won.size * lost.size * scale)
    error = _standard_error(won, lost, scale)
    low, high = max(-1.0, value - z * error), min(1.0, value + z * error)
    if error > 0.0:
        p = 2.0 * float(ndtr(-abs(value) / error))
        return AucDifference(value, error, low, high, min(1.0, p))
    if value == 0.0:
        return AucDifference(value, error, low, high, 1.0)
    reason = "every row has the same share in the difference: no noise to test it against"
    return AucDifference(value, error, low, high, None, reason)


def _classes(label: ArrayLike) -> NDArray[np.bool_]:
    positive = as_labels("label", label)
    m = int(np.count_nonzero(positive))
    if min(m, positive.size - m) < 2:
        raise InputError(
            f"label has {m:,} positive and {positive.size - m:,} negative rows; "
            "a standard error of AUC needs 2 or more of each"
        )
    return positive


def _count(score: NDArray[Any], positive: NDArray[np.bool_]) -> tuple[Counts, Counts]:
    """Twice the negatives below each positive, and the positives above each negative; ties half."""
    above, below = score[positive], score[~positive]
    above_order, below_order = np.argsort(above), np.argsort(below)
    above, below = above[above_order], below[below_order]
    won, lost = np.empty(above.size, np.int64), np.empty(below.size, np.int64)
    # Both sides sorted: the look-ups walk through memory instead of jumping.
    found = np.searchsorted(below, above, side="left")
    found += np.searchsorted(below, above, side="right")
    won[above_order] = found
    found = np.searchsorted(above, below, side="left")
    found += np.searchsorted(above, below, side="right")
    lost[below_order] = 2 * above.size - found
    return won, lost


def _over_seeds(
    name: str, scores: ArrayLike | Sequence[ArrayLike], positive: NDArray[np.bool_]
) -> tuple[Counts, Counts, int]:
    """The counts summed over seeds, and the number of seeds."""
    vectors = over_seeds(name, scores, positive.size)
    won, lost = _count(vectors[0], positive)
    for score in vectors[1:]:
        more_won, more_lost = _count(score, positive)
        won += more_won
        lost += more_lost
    return won, lost, len(vectors)


def _centred(counts: Counts, pairs: int) -> NDArray[np.float64]:
    # Off a whole number first: equal counts become exactly 0, not the rounding of their mean.
    shares = (counts - counts[0]) / pairs
    return np.asarray(shares - shares.mean())


def _standard_error(won: Counts, lost: Counts, scale: int) -> float:
    m, n = won.size, lost.size
    of_positives = _centred(won, 2 * n * scale)
    variance = float(of_positives @ of_positives) / ((m - 1) * m)
    of_negatives = _centred(lost, 2 * m * scale)
    return sqrt(variance + float(of_negatives @ of_negatives) / ((n - 1) * n))
