"""Predicted and observed rates by the values of features, and by buckets of the predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.judging.predicted.features import Segments
from postclick.judging.predicted.quantities import Labels
from postclick.judging.predicted.result import SegmentFigure
from postclick.judging.predicted.rows import Predicted
from postclick.judging.predicted.totals import interval, weighted
from postclick.stats.resampling import resampled_totals

Floats = NDArray[np.float64]
# Fewer than the whole log has, for each segment has all of them.
UNITS = 1 << 11
RESAMPLES = 400
QUANTITIES = (("ctr", "pctr"), ("ctcvr", "pctcvr"), ("cvr", "pcvr"))


class SegmentTotals:
    """Sums of labels and of each model's predictions by segment and unit of one feature."""

    def __init__(self, feature: str, kind: str, segments: Segments) -> None:
        self.feature, self.kind, self._segments = feature, kind, segments
        count = len(segments.names)
        self._shape = (count, UNITS)
        self._counts = np.zeros((3, count), np.int64)
        self._sums: dict[tuple[str, ...], Floats] = {}
        self._present = np.zeros(UNITS, np.bool_)

    def add(
        self,
        segment: NDArray[np.int64],
        labels: Labels,
        models: Mapping[str, Predicted],
        unit: NDArray[np.integer[Any]],
    ) -> None:
        """Add rows, `(n,)` each."""
        few = unit % UNITS
        place = segment * UNITS + few
        self._present[few] = True
        count = self._shape[0]
        clicked = np.flatnonzero(labels.click)
        of_clicked = place[clicked]
        converted = labels.conversion[clicked]
        weight = labels.weight
        of_click_weight = None if weight is None else weight[clicked]
        self._counts[0] += np.bincount(segment, minlength=count)
        self._counts[1] += np.bincount(segment[clicked], minlength=count)
        self._counts[2] += np.bincount(segment[clicked[converted]], minlength=count)
        self._sum(("rows",), place, weight)
        self._sum(("clicks",), of_clicked, of_click_weight)
        w = None if of_click_weight is None else of_click_weight[converted]
        self._sum(("conversions",), of_clicked[converted], w)
        for name, model in models.items():
            for quantity, kind in QUANTITIES:
                p = getattr(model, kind)
                if p is None:
                    continue
                if quantity == "cvr":
                    self._sum((name, "cvr"), of_clicked, weighted(p[clicked], of_click_weight))
                else:
                    self._sum((name, quantity), place, weighted(p, weight))

    def counts(self) -> NDArray[np.int64]:
        """Rows, clicks and conversions, `(3, segments)`."""
        return self._counts

    def _sum(
        self, name: tuple[str, ...], place: NDArray[np.int64], values: NDArray[Any] | None
    ) -> None:
        found = np.bincount(place, values, self._shape[0] * UNITS).astype(np.float64)
        if name in self._sums:
            self._sums[name] += found
        else:
            self._sums[name] = found

    def figures(
        self, models: Sequence[str], level: float, seed: int, auc: Mapping[tuple[str, int], float]
    ) -> list[SegmentFigure]:
        """A figure for each segment, model and quantity.

        Args:
            auc: CVR-AUC among clicked rows by model and segment, where it is defined.
        """
        names = list(self._sums)
        table = np.concatenate([self._sums[name].reshape(self._shape) for name in names])
        drawn = resampled_totals(np.ascontiguousarray(table.T[self._present]), RESAMPLES, seed)
        drawn = drawn.reshape(1 + RESAMPLES, len(names), self._shape[0])
        of = {name: drawn[:, k] for k, name in enumerate(names)}
        found = []
        for number, value in enumerate(self._segments.names):
            rows, clicks, conversions = (int(one) for one in self._counts[:, number])
            if not rows:
                continue
            for model in models:
                for quantity, _ in QUANTITIES:
                    if (model, quantity) not in of:
                        continue
                    over = of[("clicks",) if quantity == "cvr" else ("rows",)][:, number]
                    label = of[("clicks",) if quantity == "ctr" else ("conversions",)][:, number]
                    sums = of[model, quantity][:, number]
                    with np.errstate(divide="ignore", invalid="ignore"):
                        ratio = sums / label
                        predicted, observed = sums[0] / over[0], label[0] / over[0]
                    ends = interval(ratio[1:], level) if label[0] > 0 else None
                    found.append(
                        SegmentFigure(
                            self.feature,
                            self.kind,
                            value,
                            model,
                            quantity,
                            rows,
                            clicks,
                            conversions,
                            float(predicted) if over[0] > 0 else None,
                            float(observed) if over[0] > 0 else None,
                            float(ratio[0]) if label[0] > 0 else None,
                            None if ends is None else ends[1],
                            None if ends is None else ends[2],
                            auc.get((model, number)) if quantity == "cvr" else None,
                        )
                    )
        return found
