"""How many rows of a log have which time: what a split by time is drawn from."""

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.read.values.bad_values import EXAMPLES, BadValues
from postclick.data.read.values.times import KINDS, Times

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# Different times that are told apart; with more, near ones are counted together.
MAX_TIMES = 4_000_000
# Widths of the intervals in which times are counted then: 2^-30 to 2^62.
_LEAST, _MOST = -30, 62


class TimeKinds:
    """Rows of each kind of time in `KINDS`; adds up over chunks.

    >>> from postclick.data.read.values.times import to_time
    >>> kinds = TimeKinds()
    >>> kinds.add(to_time(pl.Series(["2026-01-05", "1700000000", ""])).kind)
    >>> kinds.present()
    {'epoch seconds': 1, 'dates': 1}
    """

    def __init__(self) -> None:
        self.rows: Ints = np.zeros(len(KINDS), dtype=np.int64)

    def add(self, kind: pl.Series) -> None:
        self.rows = self.rows + np.bincount(kind.to_numpy(), minlength=len(KINDS))

    def merge(self, other: "TimeKinds") -> None:
        self.rows = self.rows + other.rows

    def present(self) -> dict[str, int]:
        """Rows of each kind that there is; those without a time left out."""
        counts = zip(KINDS[1:], self.rows[1:].tolist(), strict=True)
        return {kind: rows for kind, rows in counts if rows}


class TimeCounts:
    """Rows of each time, exact up to `MAX_TIMES` different ones, else of short intervals.

    The intervals are as short as `MAX_TIMES` allows, and all as long: whatever chunks the rows
    come in, and in whatever order, the counts are the same.

    Attributes:
        kinds: rows of each kind of time.
        unreadable: rows whose time is neither a date nor a number.

    >>> from postclick.data.read.values.times import to_time
    >>> counts = TimeCounts()
    >>> counts.add(to_time(pl.Series([3, 1, 3, None])))
    >>> [column.tolist() for column in counts.table()], counts.exact
    ([[1.0, 3.0], [1, 2]], True)
    """

    def __init__(self, max_times: int = MAX_TIMES) -> None:
        self._max_times = max_times
        self._times: Floats = np.empty(0)
        self._rows: Ints = np.empty(0, dtype=np.int64)
        self._new: list[tuple[Floats, Ints]] = []
        self._waiting = 0
        self._width: int | None = None  # the exponent of 2; None: exact
        self.kinds = TimeKinds()
        self.unreadable = BadValues()

    def add(self, times: Times) -> None:
        """Take in the times of rows."""
        self.kinds.add(times.kind)
        self._note(times.unreadable)
        values, rows = np.unique(times.time.drop_nulls().to_numpy(), return_counts=True)
        self._put(_rounded(values, self._width), rows)

    def merge(self, other: "TimeCounts") -> None:
        """Take in the counts of other rows."""
        self.kinds.merge(other.kinds)
        self._note(other.unreadable)
        times, rows = other.table()
        if other._width is not None and (self._width is None or self._width < other._width):
            self._count_new()
            self._width = other._width
            self._times = _rounded(self._times, self._width)
        self._put(_rounded(times, self._width), rows)

    def _note(self, bad: BadValues) -> None:
        examples = tuple(dict.fromkeys(self.unreadable.examples + bad.examples))[:EXAMPLES]
        self.unreadable = BadValues(self.unreadable.rows + bad.rows, examples)

    def _put(self, times: Floats, rows: Ints) -> None:
        self._new.append((times, rows))
        self._waiting += len(times)
        if self._waiting > self._max_times:
            self._count_new()

    def _count_new(self) -> None:
        every = [(self._times, self._rows), *self._new]
        self._new, self._waiting = [], 0
        times = np.concatenate([times for times, _ in every])
        rows = np.concatenate([rows for _, rows in every])
        self._times, self._rows = _summed(times, rows)
        if len(self._times) > self._max_times:
            self._width = self._wide_enough()
            self._times, self._rows = _summed(_rounded(self._times, self._width), self._rows)

    def _wide_enough(self) -> int:
        """The least width that leaves no more than the times that may be told apart."""
        low, high = _LEAST if self._width is None else self._width + 1, _MOST
        while low < high:
            middle = (low + high) // 2
            few = len(np.unique(_rounded(self._times, middle))) <= self._max_times
            low, high = (low, middle) if few else (middle + 1, high)
        return low

    @property
    def exact(self) -> bool:
        """Whether each time is counted on its own."""
        self._count_new()
        return self._width is None

    @property
    def timed(self) -> int:
        """Rows that have a time."""
        return int(self.kinds.rows[1:].sum())

    @property
    def untimed(self) -> int:
        """Rows whose time is missing or unreadable."""
        return int(self.kinds.rows[0])

    def table(self) -> tuple[Floats, Ints]:
        """Rising times, or beginnings of intervals, and the rows of each."""
        self._count_new()
        return self._times, self._rows


def _rounded(times: Floats, width: int | None) -> Floats:
    if width is None:
        return times
    # A power of two: neither the quotient nor the product is rounded.
    rounded: Floats = np.floor(times * 2.0**-width) * 2.0**width
    return rounded


def _summed(times: Floats, rows: Ints) -> tuple[Floats, Ints]:
    distinct, place = np.unique(times, return_inverse=True)
    sums = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(sums, place.reshape(-1), rows)
    return distinct, sums
