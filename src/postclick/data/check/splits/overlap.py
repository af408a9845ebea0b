"""Do train and test share rows, and does test come after train?"""

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.check.findings import Finding, share
from postclick.data.row_hash import Int64s, UInt64s
from postclick.data.schema import LogSchema

# Different keys held for one split; with more, a fixed part of all keys is followed instead.
MAX_KEYS = 4_000_000


class KeySketch:
    """Row counts of the keys of one split, exact up to `MAX_KEYS` keys, else of a part of them.

    Keys are hashes, so the keys below a limit are a uniform sample of keys, and the same ones
    in every split.

    >>> a, b = KeySketch(), KeySketch()
    >>> a.add(np.array([1, 2, 2], dtype=np.uint64)); b.add(np.array([2, 3, 2], dtype=np.uint64))
    >>> b.rows_in(a)
    (2, 1.0)
    """

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self._max_keys = max_keys
        self._keys: UInt64s = np.empty(0, dtype=np.uint64)
        self._rows: Int64s = np.empty(0, dtype=np.int64)
        self._new: list[UInt64s] = []
        self._waiting = 0
        self._limit = 1.0  # the part of all keys that is followed

    def add(self, keys: UInt64s) -> None:
        self._new.append(keys[_below(keys, self._limit)])
        self._waiting += len(self._new[-1])
        if self._waiting > self._max_keys:
            self._count_new()

    def merge(self, other: "KeySketch") -> None:
        other._count_new()
        self._count_new()
        self._limit = min(self._limit, other._limit)
        self._count(
            np.concatenate([self._keys, other._keys]), np.concatenate([self._rows, other._rows])
        )

    def _count_new(self) -> None:
        if self._new:
            new = np.concatenate(self._new)
            self._new, self._waiting = [], 0
            ones = np.ones(len(new), dtype=np.int64)
            self._count(np.concatenate([self._keys, new]), np.concatenate([self._rows, ones]))

    def _count(self, keys: UInt64s, rows: Int64s) -> None:
        table = pl.DataFrame({"key": keys, "rows": rows}).group_by("key").agg(pl.col("rows").sum())
        table = table.sort("key")
        self._keys, self._rows = table["key"].to_numpy(), table["rows"].to_numpy()
        # Before they are counted: a merge may have lowered the limit.
        self._cut(self._limit)
        while len(self._keys) > self._max_keys:
            self._limit /= 2
            self._cut(self._limit)

    def _cut(self, limit: float) -> None:
        keep = _below(self._keys, limit)
        self._keys, self._rows = self._keys[keep], self._rows[keep]

    def counts(self) -> tuple[Int64s, float]:
        """int64 [keys]: rows of each key that is followed, and the part of all keys that is.

        >>> sketch = KeySketch()
        >>> sketch.add(np.array([7, 8, 7], dtype=np.uint64)); sketch.counts()[0].tolist()
        [2, 1]
        """
        self._count_new()
        return self._rows, self._limit

    def keys(self) -> tuple[UInt64s, float]:
        """uint64 [keys]: the keys that are followed, and the part of all keys that is."""
        self._count_new()
        return self._keys, self._limit

    def rows_in(self, other: "KeySketch") -> tuple[int, float]:
        """Rows of this split whose key the other split has too, and the part of keys followed."""
        self._count_new()
        other._count_new()
        limit = min(self._limit, other._limit)
        both = np.isin(self._keys, other._keys) & _below(self._keys, limit)
        return round(int(self._rows[both].sum()) / limit), limit


def _below(keys: UInt64s, limit: float) -> npt.NDArray[np.bool_]:
    if limit >= 1.0:
        return np.ones(len(keys), dtype=np.bool_)
    return np.asarray(keys < np.uint64(int(limit * 2**64)))


class TimeSpan:
    """The latest time of a split, and how many of its rows are not later than they should be."""

    def __init__(self) -> None:
        self.latest: float | None = None
        self.early = 0

    def add(self, time: pl.Series, after: float | None = None) -> None:
        """Take in the times of rows that should be later than `after`."""
        latest = time.max()
        if isinstance(latest, float):
            self.latest = latest if self.latest is None else max(self.latest, latest)
        if after is not None:
            self.early += int((time <= after).sum())

    def merge(self, other: "TimeSpan") -> None:
        known = [t for t in (self.latest, other.latest) if t is not None]
        self.latest = max(known, default=None)
        self.early += other.early


def key_findings(
    schema: LogSchema, sketches: dict[str, KeySketch], rows: dict[str, int]
) -> list[Finding]:
    """Rows of a later split whose key an earlier one has already."""
    found = []
    names = list(sketches)
    for k, later in enumerate(names):
        for earlier in names[:k]:
            shared, followed = sketches[later].rows_in(sketches[earlier])
            if shared:
                key = ", ".join(schema.key)
                about = "" if followed == 1 else f" (estimated from {followed:.3%} of all keys)"
                message = (
                    f"{later}: {share(shared, rows[later])} have a key ({key}) that {earlier} has "
                    f"too{about}: remove them from {later}, or results will look too good"
                )
                found.append(Finding("split-overlap", "warning", key, shared, message))
    return found


def time_findings(
    schema: LogSchema, spans: dict[str, TimeSpan], rows: dict[str, int]
) -> list[Finding]:
    """Rows of valid and test that are not later than the latest training row."""
    return [
        Finding(
            "time-overlap",
            "warning",
            schema.time,
            span.early,
            f"{name}: {share(span.early, rows[name])} are not later ({schema.time}) than the "
            "latest training row: split the log by time, or the future is used to predict the past",
        )
        for name, span in spans.items()
        if name != "train" and span.early
    ]
