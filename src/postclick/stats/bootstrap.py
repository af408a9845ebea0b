"""Paired bootstrap over test rows: how far a metric's difference could move with other rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import pdtr

from postclick.errors import InputError
from postclick.logits import sigmoid
from postclick.metrics.inputs import in_range
from postclick.metrics.likelihood import cross_entropy
from postclick.metrics.metric import METRICS, Metric, Statistic
from postclick.stats.interval import Interval, over_seeds, tail

Floats = NDArray[np.float64]

# Weights at once: 1 MB. These stay in the cache, and BLAS does not split so little over threads.
_CHUNK = 2**17
# Weight of each 16-bit number, so that these are Poisson(1): six times faster than drawing from
# the distribution itself, and off by less than 1e-4 in mean and variance.
_WEIGHTS: Floats = np.searchsorted(
    pdtr(np.arange(12), 1.0), (np.arange(2**16) + 0.5) / 2**16
).astype(np.float64)


@dataclass(frozen=True)
class BootstrapDifference:
    """A statistic of a and of b, and how they differ, each with an interval over test rows.

    Attributes:
        a, b: the statistic itself (its mean over seeds, where there are several).
        difference: a minus b.
        gain: how much better a is than b, above 0 in favour of a; for PCOC and bias this
            compares the distances to 1 and to 0.
        rows, resamples: what the intervals rest on.
        dropped: resamples left out because the statistic was undefined there (no positives).
    """

    statistic: Statistic
    a: Interval
    b: Interval
    difference: Interval
    gain: Interval
    rows: int
    resamples: int
    dropped: int


def bootstrap_difference(
    statistic: Statistic | str,
    a: ArrayLike | Sequence[ArrayLike],
    b: ArrayLike | Sequence[ArrayLike],
    label: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> BootstrapDifference:
    """Percentile intervals of a statistic's difference; a and b share every resample of the rows.

    Each resample counts a row a Poisson(1) number of times, which for many rows is drawing with
    replacement. NLL, PCOC and bias are ratios of weighted sums, computed in pieces that
    fit the cache; AUC is the exact weighted AUC of each resample, after one sort.

    `a` and `b` are logits (for pCTCVR, ln t - ln(1 - t)); for AUC any monotone scale. Either may
    be a list with one vector for each seed: the statistic is then averaged over seeds, within
    each resample. `label` is 0/1, or soft as the true CVR is. Rows count as independent: with
    many rows from each user the intervals are too narrow.

    Shapes: `(rows,)` each. Raises `InputError` for an unknown statistic, lengths that differ,
    values that are not finite, labels outside [0, 1], fewer than `2 / (1 - level)` resamples, and
    where the statistic is undefined on the rows given.

    Source: Efron, "Bootstrap methods: another look at the jackknife", 1979; Poisson weights as in
    Hanley and MacGibbon, "Creating non-parametric bootstrap samples using Poisson frequencies",
    2006.

    >>> label = np.array([0, 1, 0, 1, 1, 0] * 50)
    >>> a, b = 2.0 * label - 1.0, np.zeros(300)
    >>> found = bootstrap_difference("nll", a, b, label, seed=1)
    >>> round(found.difference.value, 3), round(found.gain.value, 3), found.gain.low > 0
    (-0.38, 0.38, True)
    """
    entry = _entry(statistic)
    if entry.statistic is not Statistic.AUC and entry.statistic not in _RATIOS:
        raise InputError(f"there is no bootstrap of {entry.statistic}")
    below = tail(level)
    if resamples < ceil(round(1.0 / below, 6)):
        raise InputError(
            f"{resamples} resamples are too few for an interval of level {level}; "
            f"give {ceil(round(1.0 / below, 6))} or more, such as 1000"
        )
    y = in_range("label", label, 0.0, 1.0)
    first, second = over_seeds("a", a, y.size), over_seeds("b", b, y.size)
    columns, rng = [*first, *second], np.random.default_rng(seed)
    if entry.statistic is Statistic.AUC:
        values = _auc_values(columns, y, resamples, rng)
    else:
        values = _sum_values(_RATIOS[entry.statistic], columns, y, resamples, rng)
    if not np.isfinite(values[0]).all():
        raise InputError(
            f"{entry.statistic} is undefined: the {y.size:,} rows have {y.sum():,.0f} positives; "
            "give rows of both classes"
        )
    values = values[np.isfinite(values).all(axis=1)]
    loss = _loss(entry, values)
    split = len(first)
    of_a, of_b = values[:, :split].mean(axis=1), values[:, split:].mean(axis=1)
    gain = loss[:, split:].mean(axis=1) - loss[:, :split].mean(axis=1)
    return BootstrapDifference(
        statistic=entry.statistic,
        a=_interval(of_a, below),
        b=_interval(of_b, below),
        difference=_interval(of_a - of_b, below),
        gain=_interval(gain, below),
        rows=y.size,
        resamples=resamples,
        dropped=resamples + 1 - len(values),
    )


def _entry(statistic: Statistic | str) -> Metric:
    """Any metric with this statistic: the direction of better is the same for all of them."""
    for metric in METRICS.values():
        if metric.statistic == statistic:
            return metric
    names = ", ".join(Statistic)
    raise InputError(f"there is no statistic '{statistic}'; there are: {names}")


def _loss(entry: Metric, values: Floats) -> Floats:
    if entry.target is not None:
        return np.abs(values - entry.target)
    return -values if entry.higher_is_better else values


def _interval(values: Floats, below: float) -> Interval:
    """From the statistic on the rows themselves (the first value) and on their resamples."""
    drawn = values[1:]
    low, high = np.quantile(drawn, [below, 1.0 - below])
    return Interval(float(values[0]), float(drawn.std(ddof=1)), float(low), float(high))


class _Ratio(NamedTuple):
    """A statistic that is a ratio of sums over rows.

    Attributes:
        summand: of logits and labels.
        less_positives: the labels are subtracted from the sum of summands.
        over_positives: it is divided by the sum of labels, otherwise by the number of rows.
    """

    summand: Callable[[Floats, Floats], Floats]
    less_positives: bool = False
    over_positives: bool = False


def _probability(logit: Floats, label: Floats) -> Floats:
    return sigmoid(logit)


_RATIOS = {
    Statistic.NLL: _Ratio(cross_entropy),
    Statistic.PCOC: _Ratio(_probability, over_positives=True),
    Statistic.BIAS: _Ratio(_probability, less_positives=True),
    Statistic.RELATIVE_BIAS: _Ratio(_probability, less_positives=True, over_positives=True),
}


def _sum_values(
    ratio: "_Ratio",
    columns: list[NDArray[Any]],
    y: NDArray[Any],
    resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """Values `(1 + resamples, columns)`; the first row is the sample itself."""
    totals = np.zeros((1 + resamples, 2 + len(columns)))
    for rows in _slices(y.size, max(1, _CHUNK // resamples)):
        target = y[rows].astype(np.float64)
        summands = [np.ones(target.size), target]
        summands += [ratio.summand(z[rows], target) for z in columns]
        weights = np.ones((1 + resamples, target.size))
        _draw(rng, weights[1:])
        totals += weights @ np.stack(summands, axis=1)
    size, positives, sums = totals[:, :1], totals[:, 1:2], totals[:, 2:]
    if ratio.less_positives:
        sums = sums - positives
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums / (positives if ratio.over_positives else size)


def _auc_values(
    columns: list[NDArray[Any]], y: NDArray[Any], resamples: int, rng: np.random.Generator
) -> Floats:
    """Values `(1 + resamples, columns)`; the first row is the sample itself."""
    rankings = [_Ranking(score, y) for score in columns]
    values = np.empty((1 + resamples, len(columns)))
    weights = np.ones(y.size)
    for k in range(1 + resamples):
        if k:
            _draw(rng, weights)
        values[k] = [ranking.auc(weights) for ranking in rankings]
    return values


class _Ranking:
    """A score sorted once, for its AUC under many weightings of the rows.

    A row has the mass `y` as a positive and `1 - y` as a negative, as in `weighted_auc`.
    """

    def __init__(self, score: NDArray[Any], y: NDArray[Any]) -> None:
        self._positive, negative = np.flatnonzero(y > 0.0), np.flatnonzero(y < 1.0)
        self._negative = negative[np.argsort(score[negative])]
        ranked = score[self._negative]
        self._below = np.searchsorted(ranked, score[self._positive], side="left")
        self._up_to = np.searchsorted(ranked, score[self._positive], side="right")
        self._mass = y[self._positive].astype(np.float64)
        self._rest = 1.0 - y[self._negative].astype(np.float64)

    def auc(self, weights: Floats) -> float:
        """NaN if either class has no weight."""
        passed = np.zeros(self._negative.size + 1)
        np.cumsum(weights[self._negative] * self._rest, out=passed[1:])
        mass = weights[self._positive] * self._mass
        pairs = 2.0 * float(mass.sum()) * float(passed[-1])
        if pairs == 0.0:
            return float("nan")
        return float(mass @ (passed[self._below] + passed[self._up_to])) / pairs


def _slices(rows: int, step: int) -> Iterator[slice]:
    return (slice(start, min(rows, start + step)) for start in range(0, rows, step))


def _draw(rng: np.random.Generator, out: Floats) -> None:
    numbers = rng.integers(0, 2**16, out.shape, dtype=np.uint16)
    np.take(_WEIGHTS, numbers, out=out, mode="clip")  # "clip" only to write without a buffer
