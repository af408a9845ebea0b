"""Numbers to what a model reads: held within limits, and as quantile bins."""

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.numbers.moments import Floats
from postclick.data.row_hash import UInt64s
from postclick.data.sample import HashSample

# Values from which quantile edges are computed; a log with fewer rows gives exact ones.
EDGE_ROWS = 1_000_000
# No scaled number is larger, also where a column has no limits, as in older prepared logs: 1e39, or
# the largest float as "no value", is still finite in float32.
LARGEST_SCALED = 1e6


def hold_within(values: Floats, low: Floats | float, high: Floats | float) -> None:
    """Set what is below `low` to `low` and what is above `high` to `high`, in place.

    NaN stays, and so does the sign of a zero at a limit: every caller gets the same bits.

    >>> values = np.array([-9.0, 1.0, np.nan, 7.0]); hold_within(values, -1.0, 5.0); values.tolist()
    [-1.0, 1.0, nan, 5.0]
    """
    np.copyto(values, low, where=values < low)
    np.copyto(values, high, where=values > high)


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
