"""A paper's claim as a set of paired tests over seeds, and what measured values say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy.stats import kendalltau

from postclick.papers.results import Array, Results, Scale
from postclick.stats.paired import holm, paired_test

ALPHA = 0.05
Verdict = Literal["holds", "does not hold", "within noise", "not tested"]
Basis = Literal["goodness", "value"]


@dataclass(frozen=True)
class Contrast:
    """A weighted sum over arms that is above `against` if what is said is so.

    >>> better("evi", "esmm").weights
    (('evi', 1.0), ('esmm', -1.0))
    """

    weights: tuple[tuple[str, float], ...]
    against: float = 0.0

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(arm for arm, _ in self.weights)

    def sides(self, values: Mapping[str, Array]) -> tuple[Array, Array]:
        """What is said to be larger, and what is said to be smaller, by seed."""
        seeds = len(values[self.arms[0]])
        larger, smaller = np.zeros(seeds), np.full(seeds, self.against)
        for arm, weight in self.weights:
            if weight > 0:
                larger += weight * values[arm]
            else:
                smaller -= weight * values[arm]
        return larger, smaller


@dataclass(frozen=True)
class Claim:
    """Something that a paper says: all its contrasts are above their mark.

    Attributes:
        text: in words.
        column: on which column's values.
        contrasts: each is tested; the claim holds if all do.
        basis: contrasts of goodness (higher is better on any scale), or of the plain values.
        order: arms from the worst to the best, where the claim is an order.
    """

    text: str
    column: str
    contrasts: tuple[Contrast, ...]
    basis: Basis = "goodness"
    order: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tested:
    """One contrast of a claim: its mean over seeds (above 0: as claimed) and adjusted p."""

    arms: tuple[str, ...]
    difference: float
    p: float


@dataclass(frozen=True)
class Finding:
    """What the values say of a claim.

    Attributes:
        verdict: `holds`: every contrast is as claimed beyond noise. `does not hold`: one is the
            other way round beyond noise. `within noise`: neither. `not tested`: see `reason`.
        on_average: whether the means alone are as claimed; says nothing of noise.
        tau: Kendall's tau-b of means and claimed order, for claims of an order.
        reported: data set -> whether the paper's own numbers are as claimed.
    """

    claim: Claim
    verdict: Verdict
    reason: str | None
    on_average: bool | None
    tests: tuple[Tested, ...]
    tau: float | None
    reported: Mapping[str, bool]


def better(a: str, b: str) -> Contrast:
    """Arm `a` is better than `b`."""
    return Contrast(((a, 1.0), (b, -1.0)))


def best(text: str, column: str, winner: str, others: Sequence[str]) -> Claim:
    """`winner` is better than every other."""
    return Claim(text, column, tuple(better(winner, other) for other in others))


def chain(text: str, column: str, *arms: str) -> Claim:
    """Each arm is better than the next."""
    return Claim(text, column, tuple(better(a, b) for a, b in pairwise(arms)), order=arms[::-1])


def groups(text: str, column: str, upper: Sequence[str], lower: Sequence[str]) -> Claim:
    """Every arm of `upper` is better than every arm of `lower`."""
    return Claim(text, column, tuple(better(a, b) for a in upper for b in lower))


def above(text: str, column: str, arm: str, mark: float) -> Claim:
    """The value of `arm` itself is above `mark`."""
    return Claim(text, column, (Contrast(((arm, 1.0),), mark),), basis="value")


def rising(text: str, column: str, arms: Mapping[str, float]) -> Claim:
    """Goodness rises with the number given for each arm: its least-squares slope is above 0.

    >>> rising("", "auc", {"k1": 1, "k2": 2, "k3": 3}).contrasts[0].weights
    (('k1', -0.5), ('k2', 0.0), ('k3', 0.5))
    """
    x = np.array(list(arms.values()), dtype=np.float64)
    slope = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    weights = tuple((arm, float(w)) for arm, w in zip(arms, slope, strict=True))
    return Claim(
        text, column, (Contrast(weights),), order=tuple(sorted(arms, key=arms.__getitem__))
    )


def judge(
    claim: Claim,
    results: Results,
    scale: Scale,
    reported: Mapping[str, Mapping[str, float]] | None = None,
) -> Finding:
    """Test a claim: paired two-sided t over seeds, Holm over its contrasts, at 5 %.

    `reported` maps a data set to the paper's own values by arm.

    >>> claim = best("EVI is first", "auc", "evi", ["esmm"])
    >>> values = {"auc": {"evi": (0.66, 0.68, 0.65, 0.67), "esmm": (0.62, 0.63, 0.61, 0.62)}}
    >>> judge(claim, Results(values), Scale()).verdict
    'holds'
    """

    def basis(values: Sequence[float]) -> Array:
        return scale.goodness(values) if claim.basis == "goodness" else np.asarray(values)

    own = {
        name: all(_mean(c, {a: basis([v]) for a, v in by_arm.items()}) > 0 for c in claim.contrasts)
        for name, by_arm in (reported or {}).items()
        if all(arm in by_arm for contrast in claim.contrasts for arm in contrast.arms)
    }
    arms = list(dict.fromkeys(arm for contrast in claim.contrasts for arm in contrast.arms))
    given = {arm: results.by_seed(claim.column, arm) for arm in arms}
    missing = next((arm for arm, values in given.items() if values is None), None)
    if missing is not None:
        why = results.why(claim.column, missing)
        return Finding(claim, "not tested", why, None, (), None, own)
    values = {arm: basis(found) for arm, found in given.items() if found is not None}
    means = [_mean(contrast, values) for contrast in claim.contrasts]
    on_average, tau = all(mean > 0 for mean in means), _order_tau(claim, values)
    outcomes = [paired_test(*contrast.sides(values)) for contrast in claim.contrasts]
    reason = next((o.undefined for o in outcomes if o.p is None), None)
    if reason is not None:
        return Finding(claim, "not tested", reason, on_average, (), tau, own)
    adjusted = holm([o.p for o in outcomes if o.p is not None])
    tests = tuple(
        Tested(contrast.arms, mean, p)
        for contrast, mean, p in zip(claim.contrasts, means, adjusted, strict=True)
    )
    return Finding(claim, _verdict(tests), None, on_average, tests, tau, own)


def _verdict(tests: Sequence[Tested]) -> Verdict:
    if any(test.p < ALPHA and test.difference < 0 for test in tests):
        return "does not hold"
    return "holds" if all(test.p < ALPHA for test in tests) else "within noise"


def _mean(contrast: Contrast, values: Mapping[str, Array]) -> float:
    larger, smaller = contrast.sides(values)
    return float((larger - smaller).mean())


def _order_tau(claim: Claim, values: Mapping[str, Array]) -> float | None:
    if len(claim.order) < 3:
        return None
    return rank_correlation([float(values[arm].mean()) for arm in claim.order])


def rank_correlation(a: Sequence[float], b: Sequence[float] | None = None) -> float | None:
    """Kendall's tau-b of two orders (`b`: ascending if not given); None if one has no order.

    >>> rank_correlation([0.1, 0.2, 0.3]), rank_correlation([3, 2, 1], [1, 2, 3])
    (1.0, -1.0)
    """
    tau = float(kendalltau(a, range(len(a)) if b is None else b).statistic)
    return None if np.isnan(tau) else tau
