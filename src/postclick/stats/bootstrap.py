"""Bootstrap over test rows: how far a metric, or a difference, could move with other rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.catalogue import metric_named
from postclick.metrics.gauc import as_groups
from postclick.metrics.inputs import in_range
from postclick.metrics.metric import Metric
from postclick.metrics.rows import Rows
from postclick.stats.interval import Interval, over_seeds, percentile_interval, tail
from postclick.stats.resampling import Units, resampled

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BootstrapDifference:
    """A metric of a and of b, and how they differ, each with an interval over test rows.

    Attributes:
        metric: its name.
        a, b: the metric itself (its mean over seeds, where there are several).
        difference: a minus b.
        gain: how much better a is than b, above 0 in favour of a; for PCOC and bias this
            compares the distances to 1 and to 0.
        rows, resamples: what the intervals rest on.
        dropped: resamples left out because the metric was undefined there (no positives).
    """

    metric: str
    a: Interval
    b: Interval
    difference: Interval
    gain: Interval
    rows: int
    resamples: int
    dropped: int


def bootstrap_difference(
    metric: str | Metric[Any],
    a: ArrayLike | Sequence[ArrayLike],
    b: ArrayLike | Sequence[ArrayLike],
    label: ArrayLike,
    *,
    group: ArrayLike | None = None,
    by_group: bool = False,
    weight: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> BootstrapDifference:
    """Percentile intervals of a metric's difference; a and b share every resample of the rows.

    Each resample counts a row a Poisson(1) number of times, which for many rows is drawing with
    replacement. NLL, PCOC and bias are ratios of weighted sums, computed in pieces that
    fit the cache; AUC and GAUC are the exact weighted ones of each resample, after one sort.

    `metric` is a name (`nll`) or a metric of one's own. `a` and `b` are logits (for pCTCVR,
    ln t - ln(1 - t)); for AUC any monotone scale. Either may
    be a list with one vector for each seed: the metric is then averaged over seeds, within
    each resample. `label` is 0/1, or soft as the true CVR is. `group` numbers the groups, 0 for
    none, which metrics within groups need. Rows count as independent, and with many rows from
    each user the intervals are too narrow; `by_group` draws whole groups instead of rows. `weight`,
    finite and not negative, is how many impressions each row stands for, 1 without; it goes with
    the row wherever that is drawn.

    Shapes: `(rows,)` each. Raises `InputError` for an unknown metric, lengths that differ,
    values that are not finite, labels outside [0, 1], fewer than `2 / (1 - level)` resamples, a
    metric within groups or `by_group` without groups, and where the metric is undefined on the
    rows given.

    Source: Efron, "Bootstrap methods: another look at the jackknife", 1979; Poisson weights as in
    Hanley and MacGibbon, "Creating non-parametric bootstrap samples using Poisson frequencies",
    2006.

    >>> label = np.array([0, 1, 0, 1, 1, 0] * 50)
    >>> a, b = 2.0 * label - 1.0, np.zeros(300)
    >>> found = bootstrap_difference("nll", a, b, label, seed=1)
    >>> round(found.difference.value, 3), round(found.gain.value, 3), found.gain.low > 0
    (-0.38, 0.38, True)
    """
    options: dict[str, Any] = {"group": group, "by_group": by_group, "weight": weight}
    options |= {"resamples": resamples, "seed": seed, "level": level}
    (found,) = bootstrap_differences([metric], a, b, label, **options)
    if found is None:
        y = np.asarray(label)
        name = metric if isinstance(metric, str) else metric.name
        raise InputError(
            f"{name} is undefined: the {y.size:,} rows have {y.sum():,.0f} positives; "
            "give rows of both classes"
        )
    return found


def bootstrap_differences(
    metrics: Sequence[str | Metric[Any]],
    a: ArrayLike | Sequence[ArrayLike],
    b: ArrayLike | Sequence[ArrayLike],
    label: ArrayLike,
    *,
    group: ArrayLike | None = None,
    by_group: bool = False,
    weight: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> list[BootstrapDifference | None]:
    """As `bootstrap_difference`, of several metrics on the same resamples of the rows.

    Metrics that are sums share their weights, so that several take hardly longer than one. None
    stands for a metric that is undefined on these rows.

    Raises `InputError` as `bootstrap_difference` does, but not for undefined metrics.

    >>> label = np.array([0, 1, 0, 1, 1, 0] * 50)
    >>> a, b = 2.0 * label - 1.0, np.zeros(300)
    >>> nll, pcoc = bootstrap_differences(["nll", "pcoc"], a, b, label, seed=1)
    >>> round(nll.difference.value, 3), round(pcoc.difference.value, 3)
    (-0.38, 0.0)
    """
    _check(resamples, level)
    y = in_range("label", label, 0.0, 1.0)
    first, second = over_seeds("a", a, y.size), over_seeds("b", b, y.size)
    entries = [metric_named(one) if isinstance(one, str) else one for one in metrics]
    rows, units = _rows(entries, [*first, *second], y, group, by_group, weight)
    found: list[BootstrapDifference | None] = []
    for entry, values in zip(
        entries, resampled(entries, rows, units, resamples, seed), strict=True
    ):
        if not np.isfinite(values[0]).all():
            found.append(None)
            continue
        defined = values[np.isfinite(values).all(axis=1)]
        loss = entry.badness(defined)
        split = len(first)
        of_a, of_b = defined[:, :split].mean(axis=1), defined[:, split:].mean(axis=1)
        gain = loss[:, split:].mean(axis=1) - loss[:, :split].mean(axis=1)
        found.append(
            BootstrapDifference(
                metric=entry.name,
                a=_interval(of_a, level),
                b=_interval(of_b, level),
                difference=_interval(of_a - of_b, level),
                gain=_interval(gain, level),
                rows=y.size,
                resamples=resamples,
                dropped=resamples + 1 - len(defined),
            )
        )
    return found


def bootstrap_intervals(
    metrics: Sequence[str | Metric[Any]],
    scores: ArrayLike | Sequence[ArrayLike],
    label: ArrayLike,
    *,
    group: ArrayLike | None = None,
    by_group: bool = False,
    weight: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> list[Interval | None]:
    """Percentile intervals of several metrics of one model, on the same resamples of the rows.

    As the intervals of `bootstrap_difference`, of which all arguments mean the same. Metrics that
    are sums share their weights, so that several take hardly longer than one. None stands for a
    metric that is undefined on these rows.

    Raises `InputError` as `bootstrap_difference` does, but not for undefined metrics.

    >>> label = np.array([0, 1, 0, 1, 1, 0] * 50)
    >>> nll, pcoc = bootstrap_intervals(["nll", "pcoc"], np.zeros(300), label, seed=1)
    >>> round(nll.value, 3), pcoc.value, 0.85 < pcoc.low < 1 < pcoc.high < 1.2
    (0.693, 1.0, True)
    """
    _check(resamples, level)
    y = in_range("label", label, 0.0, 1.0)
    vectors = over_seeds("scores", scores, y.size)
    entries = [metric_named(one) if isinstance(one, str) else one for one in metrics]
    rows, units = _rows(entries, vectors, y, group, by_group, weight)
    intervals: list[Interval | None] = []
    for values in resampled(entries, rows, units, resamples, seed):
        defined = np.asarray(np.isfinite(values).all(axis=1))
        enough = bool(defined[0]) and np.count_nonzero(defined) > 2
        intervals.append(_interval(values[defined].mean(axis=1), level) if enough else None)
    return intervals


def _check(resamples: int, level: float) -> None:
    below = tail(level)
    if resamples < ceil(round(1.0 / below, 6)):
        raise InputError(
            f"{resamples} resamples are too few for an interval of level {level}; "
            f"give {ceil(round(1.0 / below, 6))} or more, such as 1000"
        )


def _rows(
    metrics: Sequence[Metric[Any]],
    scores: list[NDArray[Any]],
    y: NDArray[Any],
    group: ArrayLike | None,
    by_group: bool,
    weight: ArrayLike | None,
) -> tuple[list[Rows], Units]:
    """The rows as each vector of scores predicts them, and what of them is drawn together."""
    needing = [one.name for one in metrics if "group" in one.needs]
    if group is None and (needing or by_group):
        told = f"{needing[0]} is of groups" if needing else "by_group draws groups"
        raise InputError(f"{told}: give the group of each row")
    of_row = None if group is None else as_groups("group", group, y.size)
    units = Units(y.size, of_row if by_group else None)
    w = None
    if weight is not None:
        w = in_range("weight", weight, 0.0, np.inf, y.size).astype(np.float64)
    return [Rows(y, score, of_row, weight=w) for score in scores], units


def _interval(values: Floats, level: float) -> Interval:
    """From the statistic on the rows themselves (the first value) and on their resamples."""
    return percentile_interval(values[0], values[1:], level)
