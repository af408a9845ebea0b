"""The ROC curve as points to plot."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.inputs import as_labels, finite_vector, in_range

Floats = NDArray[np.float64]


def roc_points(
    score: ArrayLike, label: ArrayLike, points: int = 200, *, weight: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """False and true positive rates at falling thresholds, from (0, 0) to (1, 1).

    The full curve has one point after each distinct score; with at least so many `points` it is
    returned whole and the area under it is the exact AUC. Else points on it are kept, about evenly
    spaced along the curve, ends included. `weight`, finite and not negative, is how many rows each
    row counts as, 1 without.

    Shapes: `score` finite `(n,)`, `label` `(n,)` of 0/1; two arrays `(k,)`, `2 <= k <= points`,
    neither ever falling. Raises `InputError` for other values, lengths that differ, labels of one
    class only, and fewer than 2 points.

    Source: Fawcett, "An introduction to ROC analysis", 2006, Algorithm 1.

    >>> fpr, tpr = roc_points([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> fpr.tolist(), tpr.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    >>> float(np.trapezoid(tpr, fpr))
    0.75
    """
    scores = finite_vector("score", score)
    positive = as_labels("label", label, scores.size)
    if points < 2:
        raise InputError(f"a ROC curve in {points} points has no ends; give at least 2")
    if weight is not None:
        of_row = in_range("weight", weight, 0.0, np.inf, scores.size).astype(np.float64)
        some = of_row > 0
        scores, positive, of_row = scores[some], positive[some], of_row[some]
    positives = int(np.count_nonzero(positive))
    negatives = scores.size - positives
    if not positives or not negatives:
        raise InputError(
            f"a ROC curve needs labels of both classes, there are {positives:,} positives and "
            f"{negatives:,} negatives; draw none for these rows"
        )
    order = np.argsort(scores)[::-1]
    ranked = scores[order]
    last_of_tie = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), scores.size - 1)
    if weight is None:
        found = np.cumsum(positive[order], dtype=np.int64)[last_of_tie]
        tpr = np.append(0.0, found / positives)
        fpr = np.append(0.0, (last_of_tie + 1 - found) / negatives)
    else:
        up = np.cumsum((of_row * positive)[order])
        down = np.cumsum((of_row * ~positive)[order])
        tpr = np.append(0.0, up[last_of_tie] / up[-1])
        fpr = np.append(0.0, down[last_of_tie] / down[-1])
    if tpr.size > points:
        # Neither rate falls, so their sum measures the way along the curve, from 0 to 2. Even
        # steps of it show rare positives as well; even steps in rows would pass over them.
        kept = np.searchsorted(fpr + tpr, np.linspace(0.0, 2.0, points))
        kept = np.unique(np.append(kept[:-1], tpr.size - 1))
        fpr, tpr = fpr[kept], tpr[kept]
    return fpr, tpr
