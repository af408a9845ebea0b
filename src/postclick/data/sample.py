"""Bounded uniform samples of rows, chosen by hashes of the row numbers."""

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.row_hash import UInt64s

HASH = "__hash"
Mask = npt.NDArray[np.bool_]


class HashSample:
    """The `size` rows with the smallest hashes: uniform, and the same for any chunking.

    >>> sample, hashes = HashSample(2), np.array([5, 1, 3], dtype=np.uint64)
    >>> mask = sample.accept(hashes)
    >>> sample.put(pl.DataFrame({"x": [10, 20, 30]}).filter(pl.Series(mask)), hashes[mask])
    >>> sample.frame()["x"].to_list(), sample.seen
    ([20, 30], 3)
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen = 0
        self._frames: list[pl.DataFrame] = []
        self._held = 0
        self._limit: int | None = None  # no row with a larger hash can be chosen any more

    def accept(self, hashes: UInt64s, among: Mask | None = None) -> Mask:
        """Count rows (those where `among` is true) as seen; bool [n]: those to `put`."""
        mask = np.ones(len(hashes), dtype=np.bool_) if among is None else among
        self.seen += int(mask.sum())
        return mask if self._limit is None else mask & (hashes <= np.uint64(self._limit))

    def put(self, frame: pl.DataFrame, hashes: UInt64s) -> None:
        """Take in the accepted rows."""
        if frame.height:
            self._frames.append(frame.with_columns(pl.Series(HASH, hashes)))
            self._held += frame.height
            if self._held > 2 * self.size:
                self._shrink()

    def merge(self, other: "HashSample") -> None:
        """Take in the sample of other rows, drawn with the same seed."""
        self.seen += other.seen
        self._frames += other._frames
        self._held += other._held
        if self._held > self.size:
            self._shrink()

    def _shrink(self) -> None:
        kept = pl.concat(self._frames, how="vertical_relaxed").bottom_k(self.size, by=HASH)
        self._frames = [kept]
        self._held = kept.height
        if kept.height == self.size:
            largest = kept[HASH].max()
            assert isinstance(largest, int)
            self._limit = largest

    def frame(self) -> pl.DataFrame:
        """The sampled rows in the order of their hashes, kept in column `__hash`."""
        if not self._frames:
            return pl.DataFrame()
        return pl.concat(self._frames, how="vertical_relaxed").sort(HASH).head(self.size)
