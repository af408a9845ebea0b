"""All that is learned of one numeric column that is standardized, chunk by chunk."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from postclick.data.numbers.extremes import Extremes, find_extremes, limits
from postclick.data.numbers.moments import Floats, Moments, signed_log1p
from postclick.data.row_hash import UInt64s
from postclick.data.sample import HashSample
from postclick.data.schema import LogSchema

# Values by which extremes are told.
SAMPLE_ROWS = 65_536


@dataclass(frozen=True)
class ExtremeValues:
    """What there is of extreme values in a column, in its own units.

    Attributes:
        rows: how many there are, 0 where that is not known because no sampled value is extreme.
        counts: the values with their numbers of rows, the most frequent first.
        low, high: the smallest and the largest of the other values.
        exact: whether the numbers are counts of the whole log, not of a sample scaled up.
    """

    rows: int
    counts: tuple[tuple[float, int], ...]
    low: float
    high: float
    exact: bool


@dataclass(frozen=True)
class Scale:
    """How a column is scaled: f(x) is held within low and high, then (f(x) - mean) / std."""

    mean: float
    std: float
    low: float
    high: float


@dataclass
class NumberSummary:
    """Moments of f(x), with f the identity or `signed_log1p`, and a sample of x.

    Extremes are told by the sample, which is the same for any chunks; a column without them has
    the moments of all its values.

    >>> summary, rng = NumberSummary(), np.random.default_rng(0)
    >>> prices = np.append(rng.normal(5, 2, 98), [1e200, np.nan])
    >>> summary.add(prices, np.arange(100, dtype=np.uint64))
    >>> found = summary.result()
    >>> found[0].mean < 6, found[1].rows, found[1].counts
    (True, 1, ((1e+200, 1),))
    """

    logged: bool = False
    missing: int = 0
    moments: Moments = field(default_factory=Moments)
    smallest: float = np.inf
    largest: float = -np.inf
    sample: HashSample = field(default_factory=lambda: HashSample(SAMPLE_ROWS))

    def add(self, values: Floats, hashes: UInt64s) -> None:
        """Take in finite values, NaN where missing, with their rows' hashes."""
        present = ~np.isnan(values)
        taken = self.sample.accept(hashes, present)
        self.sample.put(pl.DataFrame({"value": values[taken]}), hashes[taken])
        finite = values[present]
        self.missing += len(values) - len(finite)
        self.smallest = min(self.smallest, float(finite.min(initial=np.inf)))
        self.largest = max(self.largest, float(finite.max(initial=-np.inf)))
        self.moments.add(self._of(finite))

    def merge(self, other: "NumberSummary") -> None:
        """Take in other rows of the same column."""
        self.missing += other.missing
        self.smallest = min(self.smallest, other.smallest)
        self.largest = max(self.largest, other.largest)
        self.moments.merge(other.moments)
        self.sample.merge(other.sample)

    def _of(self, values: Floats) -> Floats:
        return signed_log1p(values) if self.logged else values

    def result(self) -> tuple[Scale, ExtremeValues | None]:
        """The column's scale, and its extreme values if it has some."""
        moments, frame = self.moments, self.sample.frame()
        values = frame["value"].to_numpy() if frame.height else np.empty(0)
        found = find_extremes(self._of(values), moments)
        if found is None:
            return Scale(moments.mean, moments.std, *limits(moments)), None
        inside = found.inside
        scale = Scale(inside.mean, inside.std, found.low, found.high)
        return scale, self._described(values, found)

    def _described(self, values: Floats, found: Extremes) -> ExtremeValues:
        are = found.are(self._of(values))
        others, seen = values[~are], Counter(values[are].tolist())
        weight = self.sample.seen / len(values)
        counts = [(value, round(count * weight)) for value, count in seen.most_common()]
        ends = np.array([self.smallest, self.largest])
        missed = [end for end in ends[found.are(self._of(ends))].tolist() if end not in seen]
        return ExtremeValues(
            rows=round(int(are.sum()) * weight),
            counts=(*counts, *((end, 0) for end in missed)),
            low=float(others.min()),
            high=float(others.max()),
            exact=self.sample.seen == len(values),
        )


def summaries_of(schema: LogSchema) -> dict[str, NumberSummary]:
    """One for each number that is standardized, by name; those made into bins have no scale."""
    return {
        f.name: NumberSummary(logged=f.transform == "log1p")
        for f in schema.numeric
        if f.transform != "quantile"
    }
