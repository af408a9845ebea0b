"""Standard errors of AUCs and of their differences on one test set, after DeLong."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from postclick.stats.interval import Interval, normal_quantile
from postclick.stats.structural_components import Classes
from postclick.stats.tails import normal_p


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
    scores: ArrayLike | Sequence[ArrayLike],
    label: ArrayLike,
    level: float = 0.95,
    *,
    group: ArrayLike | None = None,
    weight: ArrayLike | None = None,
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

    Without `group` rows count as independent. `group` numbers what belongs together, such as the
    rows of a user, 0 for a row on its own: the components of each class are then summed within
    groups, and the variance adds up the squares of these sums and twice their products, each with
    the correction I/(I-1) for the I groups that it is over. The interval is normal and too narrow
    where a class is in few groups. `weight`, finite and not negative, is how many impressions each
    row stands for, and stays with it: a row is one draw, whatever its weight.

    Shapes: `(rows,)` on any monotone scale, `label` `(rows,)` of 0/1, `group` and `weight`
    `(rows,)`. Raises `InputError` for scores that are not finite, other labels, groups that are not
    integers, such weights, lengths that differ, fewer than 2 positive or 2 negative rows, or groups
    with such rows, and a level outside (0, 1).

    Source: DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated
    receiver operating characteristic curves: a nonparametric approach", 1988; in O(n log n) as in
    Sun and Xu, "Fast implementation of DeLong's algorithm for comparing the areas under correlated
    receiver operating characteristic curves", 2014 (a component is a difference of two mid-ranks:
    the count of the other class below, ties half). By group: Obuchowski, "Nonparametric analysis of
    clustered ROC curve data", 1997, section 3.

    >>> found = auc_interval([0.1, 0.4, 0.35, 0.8, 0.9, 0.2], [0, 0, 1, 1, 1, 0])
    >>> round(found.value, 3), round(found.standard_error, 3), round(found.low, 3), found.high
    (0.889, 0.157, 0.581, 1.0)
    >>> user = [1, 1, 1, 2, 2, 2]
    >>> found = auc_interval([0.1, 0.4, 0.35, 0.8, 0.9, 0.2], [0, 0, 1, 1, 1, 0], group=user)
    >>> round(found.standard_error, 3)
    0.222
    """
    z = normal_quantile(level)
    found = Classes(label, group, weight).contrast("scores", scores)
    value, error = found.value, found.standard_error
    return Interval(value, error, max(0.0, value - z * error), min(1.0, value + z * error))


def auc_difference(
    scores_a: ArrayLike | Sequence[ArrayLike],
    scores_b: ArrayLike | Sequence[ArrayLike],
    label: ArrayLike,
    level: float = 0.95,
    *,
    group: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> AucDifference:
    """AUC of a minus AUC of b on the same rows: standard error, normal interval, two-sided p.

    Either side may be a list with one vector for each seed: then the mean AUCs over seeds are
    compared, from structural components averaged over seeds. Only the test rows are random here;
    a t-test over seeds asks the other question. Memory does not grow with the number of seeds.

    Two cases have no noise to test against and are told apart: without a difference p is 1, with
    one there is no p (`undefined`).

    `group`, `weight`, shapes, errors and source: as `auc_interval`.

    >>> label = [0, 0, 0, 1, 1, 1]
    >>> a, b = [0.1, 0.2, 0.7, 0.3, 0.8, 0.9], [0.5, 0.2, 0.8, 0.3, 0.1, 0.9]
    >>> found = auc_difference([a, a], b, label)
    >>> round(found.difference, 3), round(found.standard_error, 3), round(found.p, 3)
    (0.444, 0.314, 0.157)
    """
    z = normal_quantile(level)
    found = Classes(label, group, weight).contrast("scores_a", scores_a, ("scores_b", scores_b))
    value, error = found.value, found.standard_error
    low, high = max(-1.0, value - z * error), min(1.0, value + z * error)
    if error > 0.0:
        return AucDifference(value, error, low, high, normal_p(value / error))
    if value == 0.0:
        return AucDifference(value, error, low, high, 1.0)
    reason = "every row has the same share in the difference: no noise to test it against"
    return AucDifference(value, error, low, high, None, reason)
