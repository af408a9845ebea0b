"""Features as a sparse matrix: one-hot levels with rare ones pooled, and standardised numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.judging.entire.inputs import Floats
from postclick.judging.entire.kinds import Kinds, typed_features

# A level has a column of its own from so many rows on, and so many levels at most have.
LEAST_ROWS, MOST_LEVELS = 20, 2_000
# Numbers also have a column for each tenth of the rows, and beyond so many deviations are cut.
PARTS, FARTHEST = 10, 4.0


@dataclass(frozen=True)
class _Levels:
    """One column for each level, one for all others, and one for missing values."""

    name: str
    levels: pl.Series

    @property
    def width(self) -> int:
        return self.levels.len() + 2

    def codes(self, values: pl.Series) -> NDArray[np.int64]:
        others, missing = self.levels.len(), self.levels.len() + 1
        found = values.cast(pl.String).replace_strict(
            self.levels, np.arange(others), default=others, return_dtype=pl.Int64
        )
        return np.where(values.is_null().to_numpy(), missing, found.fill_null(missing).to_numpy())


@dataclass(frozen=True)
class _Number:
    """A standardised number (0 where it is missing), and a column for each part of its range."""

    name: str
    mean: float
    deviation: float
    cuts: Floats

    @property
    def width(self) -> int:
        return 1 + self.cuts.size + 2

    def encode(self, values: pl.Series) -> tuple[Floats, NDArray[np.int64]]:
        x = _floats(values)
        part = np.where(np.isnan(x), self.cuts.size + 1, np.searchsorted(self.cuts, x, "right"))
        scaled = np.clip((x - self.mean) / self.deviation, -FARTHEST, FARTHEST)
        return np.where(np.isnan(x), 0.0, scaled), part


@dataclass(frozen=True)
class Encoding:
    """What columns the features of a log become, learned from a sample of it.

    >>> frame = pl.DataFrame({"shop": ["a", "b"] * 30 + ["c"], "price": np.arange(61) / 10})
    >>> encoding = Encoding.learn(frame, {"shop": "category", "price": "number"}, np.ones(61))
    >>> encoding.width, encoding.matrix(frame).shape  # 2 levels + 2; the number, 10 parts + 1
    (16, (61, 16))
    """

    kinds: Kinds
    levels: tuple[_Levels, ...]
    numbers: tuple[_Number, ...]

    @classmethod
    def learn(cls, sample: pl.DataFrame, kinds: Kinds, weight: Floats) -> Encoding:
        """Levels and scales of a sample, whose rows stand for `weight` rows each, shape `(n,)`."""
        levels = [_levels(sample[name]) for name, kind in kinds.items() if kind != "number"]
        numbers = [
            _number(sample[name], weight) for name, kind in kinds.items() if kind != "category"
        ]
        return cls(kinds, tuple(levels), tuple(numbers))

    @property
    def width(self) -> int:
        """How many columns there are."""
        of_levels = sum(one.width for one in self.levels)
        return of_levels + sum(one.width for one in self.numbers)

    def matrix(self, frame: pl.DataFrame) -> Any:
        """The features of a frame as a `scipy.sparse.csr_array` of shape `(n, width)`.

        12 bytes for each feature of a row, 24 for a number.
        """
        from scipy.sparse import csr_array

        features = typed_features(self.kinds, frame)
        rows, start = frame.height, 0
        stored = len(self.levels) + 2 * len(self.numbers)
        places = np.empty((rows, stored), np.int32)
        values = np.ones((rows, stored))
        for k, one in enumerate(self.levels):
            places[:, k] = start + one.codes(features[one.name])
            start += one.width
        for k, number in enumerate(self.numbers):
            at = len(self.levels) + 2 * k
            values[:, at], part = number.encode(features[number.name])
            places[:, at] = start
            places[:, at + 1] = start + 1 + part
            start += number.width
        ends = np.arange(0, rows * stored + 1, stored, dtype=np.int32)
        return csr_array((values.ravel(), places.ravel(), ends), shape=(rows, self.width))


def _levels(values: pl.Series) -> _Levels:
    counted = values.alias("level").drop_nulls().value_counts(name="rows")
    frequent = counted.filter(pl.col("rows") >= LEAST_ROWS)
    # By value among equals: the same log gives the same columns.
    frequent = frequent.sort(["rows", "level"], descending=[True, False])
    return _Levels(values.name, frequent.head(MOST_LEVELS)["level"].cast(pl.String))


def _number(values: pl.Series, weight: Floats) -> _Number:
    x = _floats(values)
    there = ~np.isnan(x)
    if not there.any():
        return _Number(values.name, 0.0, 1.0, np.empty(0))
    known, w = x[there], weight[there]
    cuts = np.unique(np.quantile(known, np.arange(1, PARTS) / PARTS))
    mean = float(np.average(known, weights=w))
    deviation = float(np.sqrt(np.average(np.square(known - mean), weights=w)))
    return _Number(values.name, mean, deviation or 1.0, cuts)


def _floats(values: pl.Series) -> Floats:
    """NaN for what is missing or infinite."""
    x = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return np.where(np.isfinite(x), x, np.nan)
