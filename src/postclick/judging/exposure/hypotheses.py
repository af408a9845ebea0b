"""The two tests on the scores of exposure levels, their verdict and what they can see."""

from statistics import NormalDist

import numpy as np

from postclick.judging.exposure.hidden_world import expected_shift
from postclick.judging.exposure.levels import Levels
from postclick.judging.exposure.result import Omnibus, Trend, Verdict
from postclick.judging.exposure.score import Floats, Scores
from postclick.stats.interval import normal_quantile
from postclick.stats.tails import chi_square_tail, normal_p

# Expected conversions, each times the chance of none, of a level in the omnibus test: with fewer
# the variance over units is too rough, and at 5 % there are 6 to 17 % of false alarms.
ENOUGH = 20.0


def power(strength: float, standard_error: float, level: float = 0.95) -> float:
    """Chance that a two-sided test at 1 - level finds a cause of this strength, its error given.

    >>> round(power(2.8, 1.0), 2), round(power(0.0, 1.0), 2)
    (0.8, 0.05)
    """
    z, shift = normal_quantile(level), abs(strength) / standard_error
    normal = NormalDist()
    return normal.cdf(shift - z) + normal.cdf(-shift - z)


def ordering(cut: Levels, rates: Floats | None, cvr: float) -> Floats | None:
    """The score of each level, rising where clicks fall; None where there is no order.

    By click rates the shift that the cause of the world `hidden` would bring, else the rank.

    >>> cut = Levels("numeric", np.array([0, 1]), ("1", "2"))
    >>> ordering(cut, None, 0.1), ordering(cut, np.array([0.2, 0.1]), 0.1).round(3)
    (array([0., 1.]), array([-0.066,  0.066]))
    """
    if rates is not None:
        return expected_shift(rates, cvr)
    if cut.kind == "categorical":
        return None
    return np.arange(len(cut.names), dtype=np.float64)


def trend(scores: Scores, order: Floats, by_ctr: bool, z: float) -> Trend | None:
    """The test along `order`, shape (k,); None where the levels do not differ in it.

    >>> scores = Scores(np.array([-6.0, 6.0]), np.array([[9.0, -9], [-9, 9]]), np.eye(2) * 12)
    >>> trend(scores, np.array([-0.5, -0.1]), by_ctr=True, z=1.96).z
    2.0
    """
    order = order - order.mean()
    variance, information = (
        float(order @ one @ order) for one in (scores.variance, scores.information)
    )
    if information <= 1e-12 or variance <= 0.0:
        return None
    total = float(order @ scores.total)
    statistic = total / float(np.sqrt(variance))
    if not by_ctr:
        return Trend("rank", statistic, normal_p(statistic), None, None, None, None)
    strength, error = total / information, float(np.sqrt(variance)) / information
    low, high = strength - z * error, strength + z * error
    return Trend("ctr", statistic, normal_p(statistic), strength, error, low, high)


def omnibus(scores: Scores) -> Omnibus | None:
    """Whether the levels differ at all; None where there is not enough to tell.

    Neighbouring levels are tested as one until each holds `ENOUGH`. The quadratic form of the
    total in the inverse of its variance, on the space it spans.

    >>> scores = Scores(np.array([-6.0, 6.0]), np.array([[9.0, -9], [-9, 9]]), np.eye(2) * 22)
    >>> round(omnibus(scores).chi_square, 6), omnibus(scores).df
    (4.0, 1)
    """
    together = _pooled(np.diag(scores.information))
    total = together @ scores.total
    variance = together @ scores.variance @ together.T
    diagonal = np.diag(variance)
    used = diagonal > 1e-12 * diagonal.max()
    if used.sum() < 2:
        return None
    scale = np.sqrt(diagonal[used])
    roots, axes = np.linalg.eigh(variance[np.ix_(used, used)] / np.outer(scale, scale))
    # The scores sum to 0 over the levels, so that one root is 0 but for rounding.
    spanned = roots > 1e-9 * roots[-1]
    along = axes[:, spanned].T @ (total[used] / scale)
    statistic, df = float(np.sum(along**2 / roots[spanned])), int(np.count_nonzero(spanned))
    return Omnibus(statistic, df, chi_square_tail(statistic, df))


def _pooled(information: Floats) -> Floats:
    """Which levels are tested as one, dummies `(groups, k)`: neighbours until there is enough."""
    group = np.zeros(information.size, np.int64)
    held, number = 0.0, 0
    for k, one in enumerate(information.tolist()):
        group[k] = number
        held += one
        if held >= ENOUGH:
            held, number = 0.0, number + 1
    # What is left over goes to the last group that has enough.
    groups = max(number, 1)
    return np.eye(groups)[:, np.minimum(group, groups - 1)]


def verdict(along: Trend | None, any_way: Omnibus | None, alpha: float) -> Verdict:
    """What the tests say together: the trend first, since it has a direction.

    >>> verdict(Trend("rank", -3.0, 0.0027, None, None, None, None), None, 0.05)
    'too_low'
    """
    if along is not None and along.p < alpha:
        return "too_high" if along.z > 0 else "too_low"
    if any_way is None:
        return "untested" if along is None else "none"
    return "uneven" if any_way.p < alpha else "none"
