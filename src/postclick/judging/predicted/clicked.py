"""The clicked rows of a log, held in memory: conversions can be seen on no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.judging.predicted.result import Bucket
from postclick.judging.predicted.rows import JudgedRows, Predicted
from postclick.judging.predicted.streamed_auc import auc_parts
from postclick.judging.predicted.totals import interval
from postclick.metrics.buckets import bucket_starts
from postclick.stats.resampling import resampled_totals

# Buckets, and units that each has: fewer than the whole log, for each bucket has all of them.
BUCKETS, UNITS = 10, 1 << 11
RESAMPLES = 400


@dataclass(frozen=True)
class ClickedRows:
    """All clicked rows, `(n,)` each.

    Attributes:
        pcvr, pctr: what each model predicts, by its name; without models that do not.
        features: what `Feature.read` gave, by feature.
    """

    conversion: NDArray[np.bool_]
    unit: NDArray[np.uint16]
    pcvr: Mapping[str, NDArray[Any]]
    pctr: Mapping[str, NDArray[Any]]
    features: Mapping[str, NDArray[Any]]
    weight: NDArray[np.float64] | None = None
    propensity: NDArray[Any] | None = None

    def __len__(self) -> int:
        return int(self.conversion.size)

    def segment_aucs(
        self, segment: NDArray[np.int64], least: int = 5
    ) -> dict[tuple[str, int], float]:
        """CVR-AUC of each model in each segment with at least so many of either class."""
        found = {}
        for number in np.unique(segment):
            rows = np.flatnonzero(segment == number)
            label = self.conversion[rows]
            positives = int(np.count_nonzero(label))
            if min(positives, rows.size - positives) < least:
                continue
            weight = None if self.weight is None else self.weight[rows]
            for name, p in self.pcvr.items():
                value = auc_parts(p[rows], label, np.zeros(rows.size, np.int64), 1, weight).value
                if value is not None:
                    found[name, int(number)] = value
        return found

    def reliability(self, model: str, level: float, seed: int) -> list[Bucket]:
        """Ten buckets of about equally many clicked rows by pCVR; intervals by unit."""
        p = self.pcvr[model]
        if not p.size:
            return []
        ordered = np.sort(p)
        starts = bucket_starts(ordered, BUCKETS)
        number = np.searchsorted(ordered[starts[1:]], p, side="right")
        w = np.ones(p.size) if self.weight is None else self.weight
        place = number * UNITS + self.unit % UNITS
        shape = (len(starts), UNITS)
        sums = [
            np.bincount(place, values, shape[0] * UNITS).reshape(shape).astype(np.float64)
            for values in (w, w * self.conversion, w * p)
        ]
        return reliability_buckets(model, "cvr", np.bincount(number), sums, level, seed)


def reliability_buckets(
    model: str,
    quantity: str,
    rows: NDArray[np.int64],
    sums: list[NDArray[np.float64]],
    level: float,
    seed: int,
) -> list[Bucket]:
    """Buckets from sums by bucket and unit of weights, labels and predictions, `(b, units)`."""
    table = np.concatenate(sums)
    table = np.ascontiguousarray(table[:, table.any(axis=0)].T)
    size, label, predicted = np.split(resampled_totals(table, RESAMPLES, seed), 3, axis=1)
    found = []
    for k, count in enumerate(rows):
        if size[0, k] <= 0:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = interval(label[1:, k] / size[1:, k], level)
        observed = float(label[0, k] / size[0, k])
        low, high = (observed, observed) if ends is None else ends[1:]
        mean = float(predicted[0, k] / size[0, k])
        found.append(
            Bucket(model, quantity, k, int(count), float(label[0, k]), mean, observed, low, high)
        )
    return found


class ClickedCollector:
    """Takes the clicked rows out of pieces of a log."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], list[NDArray[Any]]] = {}

    def add(
        self,
        rows: JudgedRows,
        models: Mapping[str, Predicted],
        features: Mapping[str, NDArray[Any]],
        *,
        pctr: bool,
    ) -> None:
        """Add the clicked ones of some rows; `features` as `Feature.read` gave them.

        `pctr` says whether what models predict of clicks is kept, too.
        """
        clicked = np.flatnonzero(rows.click)
        self._take("row", "conversion", rows.conversion, clicked)
        self._take("row", "unit", rows.unit, clicked)
        self._take("row", "weight", rows.weight, clicked)
        self._take("row", "propensity", rows.propensity, clicked)
        for name, model in models.items():
            self._take("pcvr", name, model.pcvr, clicked)
            self._take("pctr", name, model.pctr if pctr else None, clicked)
        for name, values in features.items():
            self._take("feature", name, values, clicked)

    def _take(
        self, kind: str, name: str, values: NDArray[Any] | None, rows: NDArray[np.int64]
    ) -> None:
        if values is not None:
            self._parts.setdefault((kind, name), []).append(values[rows])

    def clicked(self) -> ClickedRows:
        """All of them."""
        # Column by column, so that no more than one is held twice.
        whole = {key: np.concatenate(self._parts.pop(key)) for key in list(self._parts)}

        def of(kind: str) -> dict[str, NDArray[Any]]:
            return {name: values for (of, name), values in whole.items() if of == kind}

        rows = of("row")
        return ClickedRows(
            rows.get("conversion", np.zeros(0, np.bool_)),
            rows.get("unit", np.zeros(0, np.uint16)),
            of("pcvr"),
            of("pctr"),
            of("feature"),
            rows.get("weight"),
            rows.get("propensity"),
        )
