"""Is one method better than another beyond noise? Paired t-tests over seeds, Holm-corrected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.catalogue import Figure, badness
from postclick.metrics.inputs import finite_vector
from postclick.stats.student import two_sided_p

_ROUNDING = 4 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class PairedResult:
    """A two-sided paired t-test; `p` is None where there is none, and `undefined` says why.

    `mean_difference` and `sd` are of `a - b`; `sd` is the sample's (n - 1).

    >>> PairedResult(1, 0.5, None, None, None, "one pair").p is None
    True
    """

    n: int
    mean_difference: float | None
    sd: float | None
    t: float | None
    p: float | None
    undefined: str | None


def rounding(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The size up to which differences between values of `a` and `b` are rounding, no finding.

    At least the rounding of numbers around 1: distances to a target of 1 carry that.

    >>> rounding(np.array([0.3]), np.array([0.1 + 0.2])) > 0.1 + 0.2 - 0.3 > 0
    True
    """
    return _ROUNDING * float(max(1.0, np.abs(a).max(), np.abs(b).max()))


def paired_test(a: ArrayLike, b: ArrayLike) -> PairedResult:
    """Two-sided paired t-test of equal means; pair i is the same seed in `a` and `b`.

    Three cases have no t statistic and are told apart. Fewer than two pairs: no p. All pairs equal
    (to rounding, about 1e-15): p is 1. The same difference, not 0, in every pair: no p, rather than
    0, because values without any spread over seeds are not independent repeats (the seed had no
    effect, or one run was counted several times), and to call that certain would not be honest.

    Shapes: `(n,)` each. Raises `InputError` if lengths differ or a value is not finite.

    Source: Student, "The probable error of a mean", 1908.

    >>> result = paired_test([0.71, 0.73, 0.72, 0.74], [0.70, 0.71, 0.72, 0.71])
    >>> result.n, round(result.mean_difference, 4), round(result.t, 4), round(result.p, 4)
    (4, 0.015, 2.3238, 0.1027)
    >>> paired_test([0.7, 0.8], [0.6, 0.7]).undefined
    'the difference is the same in all 2 pairs: no noise to test it against'
    """
    first = finite_vector("a", a).astype(np.float64)
    second = finite_vector("b", b, first.size).astype(np.float64)
    n = first.size
    difference = first - second
    mean = float(difference.mean()) if n else None
    if mean is None or n < 2:
        reason = f"a paired test needs 2 pairs or more, there {'is' if n == 1 else 'are'} {n}"
        return PairedResult(n, mean, None, None, None, reason)
    negligible = rounding(first, second)
    if float(np.abs(difference).max()) <= negligible:
        return PairedResult(n, mean, 0.0, 0.0, 1.0, None)
    if float(np.ptp(difference)) <= negligible:
        reason = f"the difference is the same in all {n} pairs: no noise to test it against"
        return PairedResult(n, mean, 0.0, None, None, reason)
    sd = float(difference.std(ddof=1))
    t = mean / (sd / sqrt(n))
    return PairedResult(n, mean, sd, t, two_sided_p(t, n - 1), None)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given.

    Reject where the adjusted value is below alpha: the chance of any false rejection in the family
    is then at most alpha, whatever the dependence. Raises `InputError` for values outside [0, 1].

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    for p in p_values:
        if not 0.0 <= p <= 1.0:
            raise InputError(f"{p} is not a p-value; give numbers from 0 to 1")
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def losses_by_seed(
    values: Mapping[str, Sequence[float]], metric: str | Figure
) -> dict[str, NDArray[np.float64]]:
    """Each method's metric by seed on a scale where lower is better (`badness`), shape (seeds,).

    Raises `InputError` for an unknown metric, unequal numbers of seeds, or values not finite.

    >>> losses_by_seed({"esmm": [0.5, 0.75]}, "cvr_auc")
    {'esmm': array([-0.5 , -0.75])}
    """
    lengths = {name: len(series) for name, series in values.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"methods have different numbers of seeds ({told}); pair them by seed")
    label = metric if isinstance(metric, str) else metric.name
    return {
        name: np.array(
            [badness(metric, v) for v in finite_vector(f"{label} of {name}", series)],
            dtype=np.float64,
        )
        for name, series in values.items()
    }


def supported_best(
    values: Mapping[str, Sequence[float]], metric: str | Figure, *, alpha: float = 0.05
) -> str | None:
    """The method that is best on average and significantly better than every other, else None.

    `values` maps a method to its metric by seed, the same seeds in the same order for all. "Better"
    follows the metric: for PCOC and bias it is `|value - target|` that is averaged and tested.
    The best is tested against each of the others (two-sided, paired), Holm over these tests. None
    means that the data do not support a winner, also where a test has no p (`paired_test`).

    Raises `InputError` for an unknown metric, unequal numbers of seeds, or values not finite.

    >>> seeds = {"esmm": [0.62, 0.63, 0.61, 0.62], "evi": [0.66, 0.68, 0.65, 0.67]}
    >>> supported_best(seeds, "cvr_auc")
    'evi'
    >>> supported_best({"esmm": [0.62, 0.67], "evi": [0.66, 0.63]}, "cvr_auc") is None
    True
    """
    losses = losses_by_seed(values, metric)
    if len(losses) < 2 or min(loss.size for loss in losses.values()) < 2:
        return None
    best = min(losses, key=lambda name: float(losses[name].mean()))
    tests = [paired_test(losses[best], loss) for name, loss in losses.items() if name != best]
    p_values = [test.p for test in tests if test.p is not None]
    if len(p_values) < len(tests):
        return None
    return best if max(holm(p_values)) < alpha else None
