"""Ids in floating point, which from 2^53 on (2^24 in 32 bits) cannot hold every whole number."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

_EXACT_BELOW: dict[pl.DataType, float] = {
    pl.Float64(): 2.0**53,
    pl.Float32(): 2.0**24,
    pl.Float16(): 2.0**11,
}
KEPT = 10_000  # different values that are remembered
FEWEST = 3  # from fewer nothing is concluded
# From this share of the numbers that a float can hold between the least and the largest id on, some
# have surely fallen together: with so many by chance, half of all would have a neighbour.
DENSE = 0.05


@dataclass
class RoundedIds:
    """Values of a column that may have been rounded; adds up over chunks in any order.

    >>> ids = RoundedIds()
    >>> ids.add(pl.Series([1.0, 2.0**60, 2.0**60 + 256, 2.0**60 + 512]))
    >>> ids.rows, ids.merged
    (3, True)
    """

    rows: int = 0
    steps: float = 2.0**53  # below which a float holds every whole number
    values: set[float] = field(default_factory=set)
    low: float = np.inf
    high: float = -np.inf

    def add(self, column: pl.Series) -> None:
        """Take in a float column."""
        limit = _EXACT_BELOW[column.dtype]
        large = column.filter((column.abs() >= limit) & column.is_finite())
        if len(large) == 0:
            return
        distinct = large.cast(pl.Float64).unique()
        low, high = float(distinct.min()), float(distinct.max())  # type: ignore[arg-type]
        self.merge(RoundedIds(len(large), limit, set(distinct.sort().to_list()), low, high))

    def merge(self, other: "RoundedIds") -> None:
        self.rows += other.rows
        self.steps = min(self.steps, other.steps) if other.rows else self.steps
        self.values = set(sorted(self.values | other.values)[:KEPT])
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    @property
    def merged(self) -> bool:
        """Whether different ids have surely become one: they lie too dense."""
        if len(self.values) < FEWEST:
            return False
        kept = np.array(sorted(self.values))
        room = _numbers_between(kept[0], kept[-1], self.steps)
        return len(kept) >= DENSE * room

    @property
    def example(self) -> str:
        return f"{min(self.values):.17g}" if self.values else ""


def _numbers_between(low: float, high: float, exact: float) -> float:
    """How many numbers a float can hold from `low` to `high`, both counted."""
    if exact == 2.0**53:
        bits = np.array([low, high], dtype=np.float64).view(np.int64)
    else:
        bits = np.array([low, high], dtype=np.float32).view(np.int32).astype(np.int64)
        bits[bits < 0] += 2**31 - 2**63
    first, last = (int(b) if b >= 0 else -(int(b) + 2**63) for b in bits)
    return float(last - first + 1)
