"""Moments of each element of a vector."""

import numpy as np

from postclick.data.numbers.moments import LARGEST, Floats, Moments


class VectorMoments:
    """`postclick.data.numbers.moments.Moments` of each element of a vector, missing ones left out.

    Attributes:
        count: int64 [size], how often each element was there.

    >>> moments = VectorMoments(2)
    >>> moments.add(np.array([[1.0, 5.0], [3.0, np.nan]])); moments.add(np.array([[5.0, 5.0]]))
    >>> moments.mean.tolist(), moments.std.round(6).tolist()
    ([3.0, 5.0], [1.632993, 1.0])
    """

    def __init__(self, size: int) -> None:
        self.count = np.zeros(size, dtype=np.int64)
        self.mean = np.zeros(size)
        self._squares = np.zeros(size)
        self._low, self._high = np.full(size, np.inf), np.full(size, -np.inf)

    def add(self, values: Floats) -> None:
        """Take in float64 [n, size], finite or NaN."""
        if len(values) == 0:
            return
        new = VectorMoments(values.shape[1])
        there = ~np.isnan(values)
        whole = bool(there.all())
        new._low = (values if whole else np.where(there, values, np.inf)).min(axis=0)
        new._high = (values if whole else np.where(there, values, -np.inf)).max(axis=0)
        if ((new._low < -LARGEST) | (new._high > LARGEST)).any():
            self.add(values.clip(-LARGEST, LARGEST))
            return
        new.count[:] = there.sum(axis=0)
        known = np.maximum(new.count, 1)
        new.mean = (values if whole else np.where(there, values, 0.0)).sum(axis=0) / known
        apart = values - new.mean
        new._squares = np.square(apart if whole else np.where(there, apart, 0.0)).sum(axis=0)
        self.merge(new)

    def merge(self, other: "VectorMoments") -> None:
        """Take in what was counted of other rows."""
        total = self.count + other.count
        share = other.count / np.maximum(total, 1)
        step = other.mean - self.mean
        self._squares += other._squares + step * step * (self.count * share)
        self.mean += step * share
        self.count = total
        self._low = np.minimum(self._low, other._low)
        self._high = np.maximum(self._high, other._high)

    def of(self, element: int) -> Moments:
        """Those of one element."""
        return Moments(
            int(self.count[element]),
            float(self.mean[element]),
            float(self._squares[element]),
            float(self._low[element]),
            float(self._high[element]),
        )

    @property
    def std(self) -> Floats:
        """float64 [size]: 1 where there is no spread."""
        std: Floats = np.sqrt(self._squares / np.maximum(self.count, 1))
        flat = (self._low >= self._high) | ~np.isfinite(std) | (std <= 0)
        return np.where(flat, 1.0, std)
