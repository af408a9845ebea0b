"""Statistics of numeric features over chunks: mean and deviation, and quantile edges."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.row_hash import UInt64s
from postclick.data.sample import HashSample

Floats = npt.NDArray[np.float64]
# Values from which quantile edges are computed; a log with fewer rows gives exact ones.
EDGE_ROWS = 1_000_000
# No scaled number is larger: 1e39, or the largest float as "no value", is still finite in float32.
LARGEST_SCALED = 1e6


def signed_log1p(values: Floats) -> Floats:
    """sign(x) ln(1 + |x|)."""
    return np.sign(values) * np.log1p(np.abs(values))


@dataclass
class Moments:
    """Mean and sum of squared deviations in float64, updated chunk by chunk and mergeable.

    Chan, Golub and LeVeque (1979), "Updating formulae and a pairwise algorithm for computing
    sample variances". The standard deviation divides by n; a constant column has 1.

    >>> moments = Moments()
    >>> moments.add(np.array([1.0, 3.0])); moments.add(np.array([5.0]))
    >>> moments.mean, round(moments.std, 6)
    (3.0, 1.632993)
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    def add(self, values: Floats) -> None:
        """Take in finite values."""
        if len(values) == 0:
            return
        mean = float(values.mean())
        squares = float(np.square(values - mean).sum())
        low, high = float(values.min()), float(values.max())
        self.merge(Moments(len(values), mean, squares, low, high))

    def merge(self, other: "Moments") -> None:
        if other.count == 0:
            return
        total = self.count + other.count
        step = other.mean - self.mean
        self.squares += other.squares + step * step * (self.count * other.count / total)
        self.mean += step * (other.count / total)
        self.count = total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    @property
    def std(self) -> float:
        """1 where there is no spread, so that dividing by it is always right."""
        if self.count == 0 or self.low == self.high:
            return 1.0
        std = float(np.sqrt(self.squares / self.count))
        return std if np.isfinite(std) and std > 0 else 1.0


class EdgeSample:
    """Quantile edges from all values, or from a uniform sample of `EDGE_ROWS` of them."""

    def __init__(self, size: int = EDGE_ROWS) -> None:
        self._sample = HashSample(size)

    def add(self, values: Floats, hashes: UInt64s) -> None:
        """Take in values, NaN where missing, with their rows' hashes."""
        mask = self._sample.accept(hashes, ~np.isnan(values))
        self._sample.put(pl.DataFrame({"value": values[mask]}), hashes[mask])

    def merge(self, other: "EdgeSample") -> None:
        self._sample.merge(other._sample)

    def edges(self, bins: int) -> tuple[float, ...]:
        """At most bins - 1 rising edges; no bin between them is empty in the sample."""
        frame = self._sample.frame()
        if frame.height == 0:
            return ()
        values = np.sort(frame["value"].to_numpy())
        # Edges are values of the log: bin k holds [edge k-1, edge k).
        inner = values[(np.arange(1, bins) * len(values)) // bins]
        distinct = np.unique(inner)
        return tuple(float(edge) for edge in distinct[distinct > values[0]])


def quantile_ids(values: Floats, edges: tuple[float, ...]) -> npt.NDArray[np.int32]:
    """int32 [n]: 0 where missing, else 1 + the number of edges not above the value.

    >>> quantile_ids(np.array([np.nan, -5.0, 2.0, 9.0]), (2.0, 4.0)).tolist()
    [0, 1, 2, 3]
    """
    ids = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right") + 1
    ids[np.isnan(values)] = 0
    return ids.astype(np.int32)
