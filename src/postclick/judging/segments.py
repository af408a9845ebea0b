"""Every metric per value of a feature: where a model is right, and where it is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.data.arrays import RowArrays
from postclick.errors import InputError
from postclick.judging.feature_values import FeatureValues
from postclick.judging.value_names import MISSING, OTHERS, are_dates
from postclick.metrics.metric import MetricValue
from postclick.metrics.sums import EvaluationSums

TOP = 20
# Rows of a segment that are judged at a time.
CHUNK_ROWS = 1 << 20
Arrays = NDArray[Any]


@dataclass(frozen=True)
class Segment:
    """The rows of a split that have one value of a feature, judged.

    Attributes:
        value: as the raw log has it, or a range of numbers; or `(others)` for all values that
            have no segment of their own.
        values: of how many values, or of one range, these rows are.
        rows, clicks, conversions: counts of rows, whatever these weigh.

    >>> Segment("shoes", 1, 100, 7, 2, ()).as_dict()["value"]
    'shoes'
    """

    value: str
    values: int
    rows: int
    clicks: int
    conversions: int
    metrics: tuple[MetricValue, ...]

    def as_dict(self) -> dict[str, Any]:
        """As written to metrics.json."""
        return {**vars(self), "metrics": [metric.as_dict() for metric in self.metrics]}


@dataclass(frozen=True)
class FeatureSegments:
    """A split cut by one feature: each row is in exactly one segment.

    Attributes:
        kind: `categorical` (segments by falling number of rows, dates by date, the others last),
            `numeric` (by rising value).

    >>> FeatureSegments("shop", "categorical", ()).as_dict()
    {'kind': 'categorical', 'segments': []}
    """

    feature: str
    kind: str
    segments: tuple[Segment, ...]

    def as_dict(self) -> dict[str, Any]:
        """As written to metrics.json, below the feature's name."""
        return {"kind": self.kind, "segments": [one.as_dict() for one in self.segments]}


class SegmentedRows:
    """What is predicted and known of each row of a split, to be judged feature by feature.

    It holds the rows once (14 bytes for each, and 4 for each feature), and what metrics need of
    one segment at a time, however many segments there are.

    Raises:
        InputError: `top` is below 1.
    """

    def __init__(self, features: Sequence[FeatureValues], top: int = TOP) -> None:
        if top < 1:
            raise InputError(f"top is {top}: give 1 or more")
        self._features = list(features)
        self._top = top
        self._keys: list[list[Arrays]] = [[] for _ in self._features]
        self._columns: dict[str, list[Arrays]] = {}

    def add(self, window: RowArrays, taken: slice, columns: Mapping[str, Any]) -> None:
        """Add a batch: the rows `taken` of `window`, and what `EvaluationSums.update` is given."""
        for keys, feature in zip(self._keys, self._features, strict=True):
            keys.append(feature.read(window, taken))
        for name, values in columns.items():
            if values is not None:
                self._columns.setdefault(name, []).append(np.array(values))

    def judged(self) -> tuple[FeatureSegments, ...]:
        """All metrics of each segment of each feature, in the order in which they were named."""
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        found = []
        for feature, parts in zip(self._features, self._keys, strict=True):
            keys = np.concatenate(parts) if parts else np.empty(0, np.int32)
            found.append(
                FeatureSegments(feature.name, feature.kind, self._cut(feature, keys, columns))
            )
        return tuple(found)

    def _cut(
        self, feature: FeatureValues, keys: Arrays, columns: Mapping[str, Arrays]
    ) -> tuple[Segment, ...]:
        number, names = feature.segments(keys)
        rows_of = np.bincount(number, minlength=len(names))
        order = np.arange(len(names))
        if feature.kind == "categorical":
            order = np.argsort(-rows_of, kind="stable")
        present = [int(one) for one in order if rows_of[one]]
        shown, rest = present[: self._top], present[self._top :]
        if feature.kind == "numeric":  # few, and of an order that must not be torn
            shown, rest = present, []
        elif are_dates([None if names[one] == MISSING else names[one] for one in present]):
            shown = sorted(shown, key=lambda one: (names[one] == MISSING, names[one]))
        place = np.full(len(names), len(shown))
        place[shown] = np.arange(len(shown))
        sorted_rows = np.argsort(place[number], kind="stable")
        ends = np.cumsum([rows_of[one] for one in shown]).astype(int)
        pieces = np.split(sorted_rows, ends)
        segments = [
            _segment(names[one], 1, rows, columns)
            for one, rows in zip(shown, pieces[:-1], strict=True)
        ]
        if rest:
            segments.append(_segment(OTHERS, len(rest), pieces[-1], columns))
        return tuple(segments)


def _segment(value: str, values: int, rows: Arrays, columns: Mapping[str, Arrays]) -> Segment:
    sums = EvaluationSums()
    for start in range(0, rows.size, CHUNK_ROWS):
        piece = rows[start : start + CHUNK_ROWS]
        sums.update(**{name: column[piece] for name, column in columns.items()})
    clicks, conversions = (
        int(np.count_nonzero(columns[name][rows])) for name in ("click", "conversion")
    )
    return Segment(value, values, rows.size, clicks, conversions, tuple(sums.compute()))
