"""AUC: exact area under the ROC curve over all rows at once, ties counted half."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.inputs import as_labels, in_range, vector
from postclick.metrics.metric import WITH_TRUTH, Where
from postclick.metrics.ranking import RankingMetric, ScoredRows
from postclick.metrics.rows import Floats, Rows


class AUC(RankingMetric):
    """Probability that a positive row scores above a negative one, ties half; 0.5 is chance.

    A soft label `y` counts its row as `y` positive and `1 - y` negative (`weighted_auc`).

    >>> rows = Rows(np.array([1, 0, 0]), np.array([0.5, 0.5, 0.1]))
    >>> AUC().weighted(rows)(np.array([1.0, 1.0, 3.0]))
    0.875
    """

    name = "auc"
    definition = "AUC"
    higher_is_better = True
    quantities = WITH_TRUTH
    interval = "delong"
    undefined_in_one_class = True
    has_baseline = True

    def compute(self, state: ScoredRows) -> float | None:
        score, label = state.score, state.label
        if label.dtype.kind == "b":
            return auc(score, label)
        mass = label.astype(np.float64, copy=False)
        return weighted_auc(score, mass, 1.0 - mass)

    def undefined(self, state: ScoredRows, where: Where) -> str:
        if state.positives == 0:
            return where.no_positives
        return f"no negatives: {where.labels} on all {where}"

    def weighted(self, rows: Rows) -> Callable[[Floats], float]:
        return _Ranking(rows.score, rows.label).auc

    def baseline(self, rows: float, positives: float) -> float | None:
        return 0.5


def auc(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Probability that a random positive scores above a random negative, ties counted half.

    Exact in the dtype given: scores are compared, never binned or cast down, and pairs are
    counted in integers, so the result does not depend on the order of the rows. Infinite scores
    rank as such; `-0.0` ties with `0.0`.

    Shapes: `scores` `(n,)` on any monotone scale (logits are best: probabilities saturate),
    `labels` `(n,)` of 0/1. Returns None if there is no positive or no negative. Raises
    `InputError` for NaN scores, labels other than 0/1, or lengths that differ.

    Source: Mann and Whitney, "On a test of whether one of two random variables is
    stochastically larger than the other", 1947.

    >>> auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    >>> auc([2.0, 2.0, 2.0], [1, 0, 0])
    0.5
    >>> auc([0.3, 0.9], [1, 1]) is None
    True
    """
    score = ranked(scores)
    positive = as_labels("labels", labels, score.size)
    positives = int(np.count_nonzero(positive))
    negatives = score.size - positives
    if not positives or not negatives:
        return None
    # Only the rarer class is looked up; with few clicks or conversions that is nearly free.
    rare_is_positive = positives <= negatives
    rare = np.sort(score[positive if rare_is_positive else ~positive])
    everyone = np.sort(score)
    # Rows strictly below plus rows not above is twice "below, ties half". Against its own class,
    # itself included, the rare class has exactly rare**2 of that: taken off again.
    doubled = (
        int(np.searchsorted(everyone, rare, side="left").sum())
        + int(np.searchsorted(everyone, rare, side="right").sum())
        - rare.size**2
    )
    pairs = 2 * positives * negatives
    return (doubled if rare_is_positive else pairs - doubled) / pairs


def weighted_auc(
    scores: ArrayLike, positive_mass: ArrayLike, negative_mass: ArrayLike
) -> float | None:
    """AUC when row i counts `positive_mass[i]` as positive and `negative_mass[i]` as negative.

    With the true CVR `r` as positive and `1 - r` as negative mass this is the AUC against
    potential conversions without the noise of drawing them. A row is also paired with itself, as
    a tie; for `n` rows that draws the value towards 1/2 by a factor of about `1 - 1/n` compared
    with pairs of different rows only. With masses of 0 and 1 it equals `auc`. Rows are summed in
    one canonical order, so permuting them does not change a bit of the result.

    Shapes: three vectors `(n,)`; masses finite and not negative. Returns None if either mass is
    0 in total. Raises `InputError` for NaN scores, masses out of range or lengths that differ.

    >>> weighted_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], [1, 1, 0, 0])
    0.75
    >>> round(weighted_auc([-1.0, 2.0], [0.1, 0.6], [0.9, 0.4]), 4)
    0.7747
    """
    score = ranked(scores)
    positive = in_range("positive_mass", positive_mass, 0.0, math.inf, score.size)
    negative = in_range("negative_mass", negative_mass, 0.0, math.inf, score.size)
    if not positive.any() or not negative.any():
        return None
    # AUC does not depend on the scale of either mass; with 1 on top nothing under- or overflows.
    positive = positive.astype(np.float64) / float(positive.max())
    negative = negative.astype(np.float64) / float(negative.max())
    order = np.argsort(score)
    in_order = score[order]
    new = np.concatenate(([True], in_order[1:] != in_order[:-1]))
    tied = ~new
    tied[:-1] |= ~new[1:]
    if tied.any():
        # Floating sums depend on their order: inside a tie, rows go by their masses.
        rows = order[tied]
        order[tied] = rows[np.lexsort((negative[rows], positive[rows], score[rows]))]
    starts = np.flatnonzero(new)
    positive_at = np.add.reduceat(positive[order], starts)
    negative_at = np.add.reduceat(negative[order], starts)
    negative_to = np.cumsum(negative_at)
    below = np.concatenate(([0.0], negative_to[:-1]))
    won = float((positive_at * (below + 0.5 * negative_at)).sum())
    value = won / (float(positive_at.sum()) * float(negative_to[-1]))
    return min(max(value, 0.0), 1.0)  # rounding can carry a perfect ranking past 1


class _Ranking:
    """A score sorted once, for its AUC under many weightings of the rows.

    A row has the mass `y` as a positive and `1 - y` as a negative, as in `weighted_auc`.
    """

    def __init__(self, score: NDArray[np.floating], y: NDArray[np.generic]) -> None:
        label = y.astype(np.float64)
        self._positive, negative = np.flatnonzero(label > 0.0), np.flatnonzero(label < 1.0)
        self._negative = negative[np.argsort(score[negative])]
        in_order = score[self._negative]
        self._below = np.searchsorted(in_order, score[self._positive], side="left")
        self._up_to = np.searchsorted(in_order, score[self._positive], side="right")
        self._mass = label[self._positive]
        self._rest = 1.0 - label[self._negative]

    def auc(self, weights: Floats) -> float:
        """NaN if either class has no weight."""
        passed = np.zeros(self._negative.size + 1)
        np.cumsum(weights[self._negative] * self._rest, out=passed[1:])
        mass = weights[self._positive] * self._mass
        pairs = 2.0 * float(mass.sum()) * float(passed[-1])
        if pairs == 0.0:
            return float("nan")
        return float(mass @ (passed[self._below] + passed[self._up_to])) / pairs


def ranked(scores: ArrayLike) -> NDArray[np.floating]:
    """Scores that can be put in order; `InputError` for NaN.

    >>> ranked([True, False]).tolist()
    [1, 0]
    """
    score = vector("scores", scores)
    if score.dtype.kind == "b":
        score = score.astype(np.uint8)
    bad = int(np.count_nonzero(np.isnan(score)))
    if bad:
        raise InputError(
            f"scores are NaN on {bad:,} of {score.size:,} rows; "
            "a row without a score has no rank, check the model's outputs"
        )
    return score
