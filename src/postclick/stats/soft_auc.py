"""Differences of AUCs against soft labels, such as the true CVR, with their error over rows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.metrics.gauc import as_groups
from postclick.metrics.inputs import in_range
from postclick.stats.delong import AucDifference, auc_difference
from postclick.stats.interval import over_seeds
from postclick.stats.resampling import Units


def soft_auc_difference(
    scores_a: ArrayLike | Sequence[ArrayLike],
    scores_b: ArrayLike | Sequence[ArrayLike],
    label: ArrayLike,
    level: float = 0.95,
    *,
    group: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> AucDifference:
    """As `auc_difference` where a row of label `y` counts as `y` positive and `1 - y` negative.

    Each row is there twice, once in each class, with these weights; both are of one unit, and so
    DeLong's variance by group is that over rows. Its AUCs are those of `metrics.weighted_auc`.

    Shapes: `(rows,)` each; `label` in [0, 1]. Raises `InputError` as `auc_difference` does, and for
    labels out of range.

    >>> rate = [0.1, 0.2, 0.3, 0.8, 0.4, 0.6]
    >>> found = soft_auc_difference(rate, [0.5, 0.1, 0.3, 0.2, 0.4, 0.6], rate)
    >>> round(found.difference, 3), round(found.standard_error, 3)
    (0.278, 0.178)
    """
    hard, unit, mass = both_classes(label, group, weight)
    a, b = (
        [np.concatenate((one, one)) for one in over_seeds(name, scores, hard.size // 2)]
        for name, scores in (("scores_a", scores_a), ("scores_b", scores_b))
    )
    return auc_difference(a, b, hard, level, group=unit, weight=mass)


def both_classes(
    label: ArrayLike, group: ArrayLike | None = None, weight: ArrayLike | None = None
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.float64]]:
    """Labels, groups and weights of the rows as positive ones, then of the same as negative ones.

    Shapes: `(rows,)` each; three vectors `(2 rows,)`. Raises `InputError` as `soft_auc_difference`.

    >>> hard, unit, mass = both_classes([0.25, 1.0])
    >>> hard.tolist(), unit.tolist(), mass.tolist()
    ([True, True, False, False], [1, 2, 1, 2], [0.25, 1.0, 0.75, 0.0])
    """
    y = in_range("label", label, 0.0, 1.0).astype(np.float64)
    n = y.size
    w = np.ones(n) if weight is None else in_range("weight", weight, 0.0, np.inf, n)
    units = Units(n, None if group is None else as_groups("group", group, n))
    unit = 1 + (np.arange(n) if units.of_row is None else units.of_row)
    mass = np.concatenate((w * y, w * (1.0 - y)))
    return np.arange(2 * n) < n, np.concatenate((unit, unit)), mass
