"""Sums over rows by unit: all that metrics which are ratios of sums need, and their resamples."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.metrics.metric import Space
from postclick.metrics.ratio import RatioMetric
from postclick.metrics.rows import Rows
from postclick.stats.interval import percentile_interval
from postclick.stats.resampling import resampled_totals

Floats = NDArray[np.float64]


class UnitTotals:
    """Named sums, each for every unit.

    >>> totals = UnitTotals(3)
    >>> totals.add("rows", np.array([0, 2, 2]), None)
    >>> totals.column("rows").tolist(), totals.total("rows")
    ([1.0, 0.0, 2.0], 3.0)
    """

    def __init__(self, units: int) -> None:
        self.units = units
        self._columns: dict[Hashable, Floats] = {}

    def add(
        self, name: Hashable, unit: NDArray[np.integer[Any]], values: NDArray[Any] | None
    ) -> None:
        """Add the values of rows, or their number, to the units they are of; `(n,)` each."""
        found = np.bincount(unit, values, self.units)
        if name in self._columns:
            self._columns[name] += found
        else:
            self._columns[name] = found.astype(np.float64)

    def column(self, name: Hashable) -> Floats:
        """`(units,)`; zeros where nothing was added."""
        return self._columns.get(name, np.zeros(self.units))

    def total(self, name: Hashable) -> float:
        return float(self.column(name).sum())

    def table(self) -> tuple[list[Hashable], Floats]:
        """The names, and all sums as `(units, names)`."""
        names = list(self._columns)
        return names, np.column_stack([self._columns[name] for name in names])


def resampled_together(
    totals: Sequence[UnitTotals], present: NDArray[np.bool_], resamples: int, seed: int
) -> list[Resampled]:
    """All sums of the sample itself and of its resamples, the same units drawn for all.

    Args:
        present: the units that have rows.
    """
    tables = [one.table() for one in totals]
    whole = np.concatenate([table for _, table in tables], axis=1)[present]
    drawn = resampled_totals(whole, resamples, seed)
    found, at = [], 0
    for names, _ in tables:
        columns = {name: drawn[:, at + k] for k, name in enumerate(names)}
        found.append(Resampled(columns, 1 + resamples))
        at += len(names)
    return found


class Resampled:
    """Sums on the sample, first, and on each resample; the same units are drawn for all names."""

    def __init__(self, columns: dict[Hashable, Floats], size: int) -> None:
        self._columns, self._size = columns, size

    def __getitem__(self, name: Hashable) -> Floats:
        """`(1 + resamples,)`; zeros where nothing was added."""
        return self._columns.get(name, np.zeros(self._size))

    def __contains__(self, name: Hashable) -> bool:
        return name in self._columns


class RatioTotals:
    """What ratio metrics sum up of one quantity of one model on one space, by unit.

    Metrics that sum up the same array share the column.
    """

    def __init__(self, metrics: Sequence[RatioMetric], key: tuple[str, str, Space]) -> None:
        self._metrics, self._key = metrics, key
        self._of: dict[tuple[str, int], Hashable] = {}

    @property
    def shared(self) -> tuple[str, Space]:
        """The labels of a quantity on a space are those of every model."""
        return self._key[1], self._key[2]

    def add(self, totals: UnitTotals, rows: Rows, unit: NDArray[np.integer[Any]]) -> None:
        """Add rows; sums of labels are left to `add_labels`."""
        # The arrays are held, for the id of one that is gone may be another's.
        known: dict[int, tuple[Hashable, NDArray[Any]]] = {}
        for metric in self._metrics:
            for k, values in enumerate(metric.summands(rows)):
                name = self._of.setdefault((metric.name, k), (*self._key, metric.name, k))
                if id(values) in known:
                    self._of[metric.name, k] = known[id(values)][0]
                    continue
                known[id(values)] = name, values
                totals.add(name, unit, weighted(values, rows.weight))

    def values(self, metric: RatioMetric, totals: Resampled) -> Floats:
        """The metric on the sample and on each resample; NaN or infinite where undefined."""
        sums = [totals[name] for (of, _), name in self._of.items() if of == metric.name]
        size, positives = totals["size", *self.shared], totals["positives", *self.shared]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = np.asarray(metric.ratio(size, positives, *sums), np.float64)
        return np.where((positives == 0) & metric.over_positives, np.nan, found)


def add_labels(
    totals: UnitTotals, shared: tuple[str, Space], rows: Rows, unit: NDArray[np.integer[Any]]
) -> None:
    """Add the number of rows and the sum of labels of a quantity on a space."""
    totals.add(("size", *shared), unit, rows.weight)
    label = rows.label.astype(np.float64)
    totals.add(("positives", *shared), unit, weighted(label, rows.weight))


def weighted(values: NDArray[Any], weight: Floats | None) -> NDArray[Any]:
    """Each value as often as its row counts; what counts for nothing is 0, whatever its value."""
    if weight is None:
        return values
    found = np.zeros(values.size)
    np.multiply(values, weight, out=found, where=weight > 0)
    return found


def interval(drawn: Floats, level: float) -> tuple[float, float, float] | None:
    """Standard error and percentile interval of resampled values; None where few are defined.

    >>> interval(np.array([0.0, 1.0, np.nan]), 0.95) is None
    True
    """
    defined = drawn[np.isfinite(drawn)]
    if defined.size < max(20, 0.9 * drawn.size):
        return None
    found = percentile_interval(np.nan, defined, level)
    return found.standard_error, found.low, found.high


def ratio_metrics(metrics: Iterable[Any]) -> list[RatioMetric]:
    """Those that are ratios of sums."""
    return [one for one in metrics if isinstance(one, RatioMetric)]
