"""All that is learned of one column of vectors, chunk by chunk."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.numbers.extremes import find_extremes, limits
from postclick.data.numbers.moments import Floats
from postclick.data.numbers.summary import SAMPLE_ROWS
from postclick.data.numbers.vector_moments import VectorMoments
from postclick.data.read.values.vectors import matrix_of
from postclick.data.row_hash import UInt64s
from postclick.data.sample import HashSample
from postclick.data.schema import LogSchema

# Elements by which extremes are told: fewer rows of longer vectors, of 1,024 rows at least.
SAMPLE_ELEMENTS, LEAST_ROWS = 1 << 22, 1_024


@dataclass(frozen=True)
class VectorScale:
    """float64 [size] each: an element is held within low and high, then (x - mean) / std."""

    mean: Floats
    std: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class ExtremeElements:
    """What there is of extreme elements in a column of vectors.

    Attributes:
        rows: how many vectors have one, 0 where no sampled vector has.
        places: of how many of the elements some are extreme.
        counts: the values with their numbers of elements, the most frequent first.
        exact: whether the numbers are counts of the whole log, not of a sample scaled up.
    """

    rows: int
    places: int
    counts: tuple[tuple[float, int], ...]
    exact: bool


class VectorSummary:
    """Moments of each element and a sample of vectors, by which extreme elements are told.

    An element without extremes has the moments of all its values.

    >>> summary, rng = VectorSummary(2), np.random.default_rng(0)
    >>> rows = rng.normal(5, 2, (100, 2)); rows[7, 1] = 1e200
    >>> summary.add(pl.Series(rows.tolist()), np.arange(100, dtype=np.uint64))
    >>> scale, extremes = summary.result()
    >>> bool(scale.mean[1] < 6), extremes.rows, extremes.places, extremes.counts
    (True, 1, 1, ((1e+200, 1),))
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.missing = 0
        self.moments = VectorMoments(size)
        self._ends = np.array([[np.inf], [-np.inf]]).repeat(size, axis=1)  # smallest, largest
        self._sample = HashSample(min(SAMPLE_ROWS, max(SAMPLE_ELEMENTS // size, LEAST_ROWS)))

    @property
    def rows(self) -> int:
        """How many vectors there are."""
        return self._sample.seen

    def add(self, column: pl.Series, hashes: UInt64s) -> None:
        """Take in lists as `to_vector` gives them, null where missing, with their rows' hashes."""
        self.missing += column.null_count()
        matrix = matrix_of(column, self.size)
        self.moments.add(matrix)
        # Those of the moments are held within what can be squared.
        self._ends[0] = np.fmin(self._ends[0], np.fmin.reduce(matrix, axis=0, initial=np.inf))
        self._ends[1] = np.fmax(self._ends[1], np.fmax.reduce(matrix, axis=0, initial=-np.inf))
        taken = self._sample.accept(hashes, column.is_not_null().to_numpy())
        self._sample.put(pl.DataFrame({"value": column.filter(pl.Series(taken))}), hashes[taken])

    def result(self) -> tuple[VectorScale, ExtremeElements | None]:
        """The column's scale, and its extreme elements if it has some."""
        frame = self._sample.frame()
        sample = np.empty((0, self.size))
        if frame.height:
            sample = matrix_of(frame["value"], self.size)
        scale = VectorScale(
            self.moments.mean.copy(), self.moments.std, np.empty(self.size), np.empty(self.size)
        )
        are, ends, places = np.zeros(sample.shape, dtype=np.bool_), set[float](), 0
        for k in range(self.size):
            values, moments = sample[:, k], self.moments.of(k)
            found = find_extremes(values[~np.isnan(values)], moments)
            if found is None:
                scale.low[k], scale.high[k] = limits(moments)
                continue
            scale.mean[k], scale.std[k] = found.inside.mean, found.inside.std
            scale.low[k], scale.high[k] = found.low, found.high
            are[:, k] = found.are(values)
            own = self._ends[:, k]
            ends |= set(own[found.are(own)].tolist())
            places += 1
        if not places:
            return scale, None
        return scale, self._described(sample, are, ends, places)

    def _described(
        self, sample: Floats, are: npt.NDArray[np.bool_], ends: set[float], places: int
    ) -> ExtremeElements:
        seen, weight = Counter(sample[are].tolist()), self.rows / len(sample)
        counts = [(value, round(count * weight)) for value, count in seen.most_common()]
        return ExtremeElements(
            rows=round(int(are.any(axis=1).sum()) * weight),
            places=places,
            counts=(*counts, *((end, 0) for end in sorted(ends - set(seen)))),
            exact=self.rows == len(sample),
        )


def vector_summaries_of(schema: LogSchema) -> Mapping[str, VectorSummary]:
    """One for each column of vectors, by name."""
    return {f.name: VectorSummary(f.size) for f in schema.vector}
