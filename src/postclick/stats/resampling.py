"""Values of metrics when rows, or whole groups of rows, are drawn again with replacement."""

from collections.abc import Iterable, Iterator, Sequence
from math import exp, factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.metrics.metric import Metric
from postclick.metrics.ratio import RatioMetric
from postclick.metrics.rows import Rows

Floats = NDArray[np.float64]

# Weights at once: 1 MB. These stay in the cache, and BLAS does not split so little over threads.
_CHUNK = 2**17
# Rows whose sums go to their groups at a time.
_ROWS = 2**20
# Weight of each 16-bit number, so that these are Poisson(1): six times faster than drawing from
# the distribution itself, and off by less than 1e-4 in mean and variance.
_AT_MOST = np.cumsum([exp(-1.0) / factorial(count) for count in range(12)])
_WEIGHTS: Floats = np.searchsorted(_AT_MOST, (np.arange(2**16) + 0.5) / 2**16).astype(np.float64)


class Units:
    """What is drawn: each row on its own, or the rows of a group together.

    >>> units = Units(4, np.array([7, 3, 7, 0]))
    >>> units.count, units.of_row.tolist()
    (3, [1, 0, 1, 2])
    """

    def __init__(self, rows: int, group: NDArray[np.int64] | None = None) -> None:
        """`group` numbers the groups, `(rows,)`; a row of group 0 is a unit of its own."""
        self.count = rows
        self.of_row: NDArray[np.int64] | None = None
        if group is not None:
            alone = group == 0
            named, number = np.unique(group[~alone], return_inverse=True)
            self.count = named.size + int(np.count_nonzero(alone))
            self.of_row = np.empty(rows, np.int64)
            self.of_row[~alone] = number
            self.of_row[alone] = np.arange(named.size, self.count)


def resampled(
    metrics: Sequence[Metric[Any]], rows: Sequence[Rows], units: Units, resamples: int, seed: int
) -> list[Floats]:
    """Values `(1 + resamples, len(rows))` of each metric; NaN or infinite where undefined.

    Rows keep their weights, of which all of `rows` have the same or none: what is drawn is how
    often a row is there.

    The first row is the sample itself; row k counts every unit a Poisson(1) number of times, the
    same for all metrics that are sums, and for all of `rows`, which differ in their scores alone.

    >>> rows = Rows(np.array([1.0, 0.0]), np.array([0.0, 0.0]))
    >>> from postclick.metrics import PCOC
    >>> resampled([PCOC()], [rows], Units(2), 3, seed=1)[0].shape
    (4, 1)
    """
    sums = [one for one in metrics if isinstance(one, RatioMetric)]
    found = iter(_ratio_values(sums, rows, units, resamples, seed) if sums else ())
    return [
        next(found)
        if isinstance(one, RatioMetric)
        else _weighted_values(one, rows, units, resamples, seed)
        for one in metrics
    ]


def resampled_totals(table: Floats, resamples: int, seed: int) -> Floats:
    """Column sums `(1 + resamples, k)` of a table `(units, k)`: its own, then of each resample.

    >>> resampled_totals(np.array([[1.0], [2.0]]), 2, seed=0).shape
    (3, 1)
    """
    pieces = (table[piece] for piece in _slices(len(table), _step(resamples)))
    totals = _drawn_totals(pieces, resamples, seed)
    return np.zeros((1 + resamples, table.shape[1])) if totals is None else totals


def _drawn_totals(pieces: Iterable[Floats], resamples: int, seed: int) -> Floats | None:
    """As `resampled_totals`, of a table in pieces of some units each; None where there is none."""
    rng = np.random.default_rng(seed)
    totals: Floats | None = None
    for piece in pieces:
        weights = np.ones((1 + resamples, len(piece)))
        _draw(rng, weights[1:])
        with np.errstate(invalid="ignore"):  # infinite sums times 0 are no number, and stay so
            sums = weights @ piece
            totals = sums if totals is None else totals + sums
    return totals


def _step(resamples: int) -> int:
    """How many units have their weights drawn at once."""
    return max(1, _CHUNK // max(resamples, 1))


def _ratio_values(
    metrics: Sequence[RatioMetric], rows: Sequence[Rows], units: Units, resamples: int, seed: int
) -> list[Floats]:
    totals = _drawn_totals(_pieces(metrics, rows, units, _step(resamples)), resamples, seed)
    if totals is None:
        return [np.full((1 + resamples, len(rows)), np.nan) for _ in metrics]
    size, positives = totals[:, :1], totals[:, 1:2]
    values, at = [], 2
    for metric in metrics:
        # A metric has the same number of summands for each of `rows`, one after the other.
        many = len(metric.summands(_part(rows[0], slice(0, 1)))) * len(rows)
        tables = totals[:, at : at + many].reshape(1 + resamples, len(rows), -1)
        at += many
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            values.append(metric.ratio(size, positives, *np.moveaxis(tables, 2, 0)))
    return values


def _pieces(
    metrics: Sequence[RatioMetric], rows: Sequence[Rows], units: Units, step: int
) -> Iterator[Floats]:
    """For `step` units at a time, summed by unit: rows, labels, the summands of each metric."""
    if units.of_row is None:
        for piece in _slices(units.count, step):
            yield _summands(metrics, rows, piece)
        return
    whole: Floats | None = None
    for piece in _slices(len(rows[0]), _ROWS):
        columns, unit = _summands(metrics, rows, piece).T, units.of_row[piece]
        sums = [np.bincount(unit, one, units.count).astype(np.float64) for one in columns]
        whole = np.stack(sums, axis=1) if whole is None else whole + np.stack(sums, axis=1)
    if whole is not None:
        for piece in _slices(units.count, step):
            yield whole[piece]


def _summands(metrics: Sequence[RatioMetric], rows: Sequence[Rows], piece: slice) -> Floats:
    parts = [_part(one, piece) for one in rows]
    found = [np.ones(len(parts[0])), parts[0].label]
    found += [one for metric in metrics for part in parts for one in metric.summands(part)]
    columns = np.stack(found, axis=1)
    weight = parts[0].weight
    return columns if weight is None else columns * weight[:, None]


def _part(rows: Rows, piece: slice) -> Rows:
    group = None if rows.group is None else rows.group[piece]
    weight = None if rows.weight is None else rows.weight[piece]
    return Rows(rows.label[piece].astype(np.float64), rows.score[piece], group, weight=weight)


def _weighted_values(
    metric: Metric[Any], rows: Sequence[Rows], units: Units, resamples: int, seed: int
) -> Floats:
    rng = np.random.default_rng(seed)
    columns = [metric.weighted(one) for one in rows]
    values = np.empty((1 + resamples, len(columns)))
    weights = np.ones(units.count)
    for k in range(1 + resamples):
        if k:
            _draw(rng, weights)
        of_row = weights if units.of_row is None else weights[units.of_row]
        of_row = of_row if rows[0].weight is None else of_row * rows[0].weight
        values[k] = [value(of_row) for value in columns]
    return values


def _slices(rows: int, step: int) -> Iterator[slice]:
    return (slice(start, min(rows, start + step)) for start in range(0, rows, step))


def _draw(rng: np.random.Generator, out: Floats) -> None:
    numbers = rng.integers(0, 2**16, out.shape, dtype=np.uint16)
    np.take(_WEIGHTS, numbers, out=out, mode="clip")  # "clip" only to write without a buffer
