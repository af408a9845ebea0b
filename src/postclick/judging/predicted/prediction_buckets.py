"""Reliability of pCTR over all rows, in buckets that are found from a sample of the predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.judging.predicted.clicked import BUCKETS, UNITS, reliability_buckets
from postclick.judging.predicted.even_sample import EvenSample
from postclick.judging.predicted.quantities import Labels
from postclick.judging.predicted.result import Bucket
from postclick.judging.predicted.rows import Predicted
from postclick.judging.predicted.totals import weighted
from postclick.metrics.buckets import bucket_starts

# Predictions that are kept to find the buckets by.
SAMPLE = 100_000


class PredictionBuckets:
    """Ten buckets by a model's pCTR: `sample` all rows, `settle`, then `add` all rows."""

    def __init__(self) -> None:
        self._sample = EvenSample(SAMPLE)
        self._edges: NDArray[Any] = np.zeros(0)
        self._rows = np.zeros(0, np.int64)
        self._sums: list[NDArray[np.float64]] = []

    def sample(self, model: Predicted) -> None:
        """First time: see which predictions there are."""
        if model.pctr is not None:
            self._sample.add(model.pctr)

    def settle(self) -> None:
        """All rows have been seen once."""
        ordered = np.sort(self._sample.values())
        if not ordered.size:
            return
        starts = bucket_starts(ordered, BUCKETS)
        self._edges, self._sample = ordered[starts[1:]], EvenSample(SAMPLE)
        self._rows = np.zeros(len(starts), np.int64)
        self._sums = [np.zeros(len(starts) * UNITS) for _ in range(3)]

    def add(self, labels: Labels, model: Predicted, unit: NDArray[np.integer[Any]]) -> None:
        """Second time: add rows."""
        p = model.pctr
        if p is None:
            return
        number = np.zeros(p.size, np.int64)
        for edge in self._edges:  # a few comparisons are quicker than a search for each row
            number += p >= edge
        self._rows += np.bincount(number, minlength=self._rows.size)
        place = number * UNITS + unit % UNITS
        size = self._sums[0].size
        label = labels.click.astype(np.float64)
        weight = labels.weight
        for held, values in zip(
            self._sums, (weight, weighted(label, weight), weighted(p, weight)), strict=True
        ):
            held += np.bincount(place, values, size)

    def buckets(self, model: str, level: float, seed: int) -> list[Bucket]:
        """The buckets with their intervals; none where the model predicts no clicks."""
        if not self._sums:
            return []
        sums = [held.reshape(-1, UNITS) for held in self._sums]
        return reliability_buckets(model, "ctr", self._rows, sums, level, seed)
