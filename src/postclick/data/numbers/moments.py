"""Mean and deviation of numbers over chunks."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# A larger number counts as this one, so that no sum of squares is infinite.
LARGEST = 1e140


def signed_log1p(values: Floats) -> Floats:
    """sign(x) ln(1 + |x|)."""
    return np.sign(values) * np.log1p(np.abs(values))


@dataclass
class Moments:
    """Mean and sum of squared deviations in float64, updated chunk by chunk and mergeable.

    Chan, Golub and LeVeque (1979), "Updating formulae and a pairwise algorithm for computing
    sample variances". The standard deviation divides by n; a constant column has 1. `low` and
    `high` are the smallest and the largest value, infinite before there is one.

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
        low, high = float(values.min()), float(values.max())
        if low < -LARGEST or high > LARGEST:
            values = values.clip(-LARGEST, LARGEST)
            low, high = float(values.min()), float(values.max())
        mean = float(values.mean())
        squares = float(np.square(values - mean).sum())
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
        # Squares of the smallest floats are 0.
        return std or (self.high - self.low) / 2 or 1.0
