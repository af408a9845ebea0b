"""Two tests shown beside the paired t-test: Wilcoxon's signed ranks, and Welch's t."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.metrics.inputs import finite_vector
from postclick.stats.paired import rounding
from postclick.stats.student import two_sided_p

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WilcoxonResult:
    """A two-sided signed-rank test; `p` is None where there is none, and `undefined` says why.

    Attributes:
        n: pairs that differ; pairs without a difference are left out.
        rank_sum: the smaller of the rank sums of positive and of negative differences.
        least_p: the smallest p that `n` pairs can give, 2 / 2^n: .0625 for 5 pairs.
    """

    n: int
    rank_sum: float | None
    p: float | None
    least_p: float | None
    undefined: str | None


@dataclass(frozen=True)
class WelchResult:
    """A two-sided t-test without pairing; `p` is None where there is none (see `undefined`).

    `df` is Welch's degrees of freedom.

    >>> WelchResult(None, None, None, "one value").p is None
    True
    """

    t: float | None
    df: float | None
    p: float | None
    undefined: str | None


def wilcoxon_test(a: ArrayLike, b: ArrayLike) -> WilcoxonResult:
    """Two-sided signed-rank test that `a - b` is symmetric around 0; pair i is the same seed.

    The p-value is exact for any number of pairs, ties included: all `2^n` signs of the ranks are
    counted. Differences of 0 are left out and equal ones share their mean rank, both up to
    rounding (about 1e-15). Fewer than two pairs, or none that differs, have no p.

    Shapes: `(n,)` each. Raises `InputError` if lengths differ or a value is not finite.

    Source: Wilcoxon, "Individual comparisons by ranking methods", 1945.

    >>> found = wilcoxon_test([0.71, 0.74, 0.72, 0.75, 0.73], [0.70, 0.71, 0.70, 0.71, 0.72])
    >>> found.rank_sum, found.p, found.least_p
    (0.0, 0.0625, 0.0625)
    """
    first, second = _pair(a, b)
    if first.size < 2:
        verb = "is" if first.size == 1 else "are"
        reason = f"a signed-rank test needs 2 pairs or more, there {verb} {first.size}"
        return WilcoxonResult(first.size, None, None, None, reason)
    negligible = rounding(first, second)
    difference = first - second
    difference = difference[np.abs(difference) > negligible]
    n = difference.size
    if not n:
        reason = f"no difference in any of {first.size} pairs: nothing to rank"
        return WilcoxonResult(0, None, None, None, reason)
    doubled = _doubled_ranks(np.abs(difference), negligible)
    total = int(doubled.sum())
    plus = int(doubled[difference > 0].sum())
    smaller = min(plus, total - plus)
    # Chance of each rank sum, one rank at a time: each goes to either side with probability 1/2.
    chance = np.zeros(total + 1)
    chance[0] = 1.0
    for rank in doubled.tolist():
        chance[rank:] = (chance[rank:] + chance[: total + 1 - rank]) / 2.0
        chance[:rank] /= 2.0
    p = min(1.0, 2.0 * float(chance[: smaller + 1].sum()))
    return WilcoxonResult(n, smaller / 2.0, p, 2.0 ** (1 - n), None)


def welch_test(a: ArrayLike, b: ArrayLike) -> WelchResult:
    """Two-sided t-test of equal means that ignores the pairing and allows unequal variances.

    Where the seed moves both methods together it sees less than the paired test does; it is the
    test for runs that do not share their seeds. Without any spread (to rounding) p is 1 if the
    means are equal, else there is none; fewer than two values on a side have none either.

    Shapes: `(n,)` and `(m,)`. Raises `InputError` if a value is not finite.

    Source: Welch, "The generalization of 'Student's' problem when several different population
    variances are involved", 1947.

    >>> found = welch_test([0.71, 0.73, 0.72, 0.74], [0.70, 0.71, 0.72, 0.71])
    >>> round(found.t, 4), round(found.df, 4), round(found.p, 4)
    (1.964, 5.069, 0.106)
    """
    first = finite_vector("a", a).astype(np.float64)
    second = finite_vector("b", b).astype(np.float64)
    if min(first.size, second.size) < 2:
        reason = (
            "Welch's test needs 2 values or more on either side, "
            f"there are {first.size} and {second.size}"
        )
        return WelchResult(None, None, None, reason)
    negligible = rounding(first, second)
    difference = float(first.mean() - second.mean())
    if max(float(np.ptp(first)), float(np.ptp(second))) <= negligible:
        if abs(difference) <= negligible:
            return WelchResult(0.0, None, 1.0, None)
        return WelchResult(None, None, None, "no spread on either side: no noise to test against")
    of_first = float(first.var(ddof=1)) / first.size
    of_second = float(second.var(ddof=1)) / second.size
    t = difference / sqrt(of_first + of_second)
    df = (of_first + of_second) ** 2 / (
        of_first**2 / (first.size - 1) + of_second**2 / (second.size - 1)
    )
    return WelchResult(t, df, two_sided_p(t, df), None)


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    first = finite_vector("a", a).astype(np.float64)
    return first, finite_vector("b", b, first.size).astype(np.float64)


def _doubled_ranks(sizes: Floats, negligible: float) -> NDArray[np.int64]:
    """Twice the mid-ranks, which are whole numbers; sizes a rounding apart are tied."""
    order = np.argsort(sizes)
    new = np.concatenate(([True], np.diff(sizes[order]) > negligible))
    starts = np.append(np.flatnonzero(new), sizes.size)
    tie = np.cumsum(new) - 1
    doubled = np.empty(sizes.size, np.int64)
    doubled[order] = (starts[:-1] + starts[1:] + 1)[tie]
    return doubled
