"""Ids of integers, which are never turned into text."""

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.serving.hashtable import HashTable, Int32s, UInt64s

# An odd number whose product mixes the upper bits (Fibonacci hashing, Knuth 6.4); a bijection.
_MIX = np.uint64(0x9E3779B97F4A7C15)
# A table of places for each number between the least and the largest, if it is not much larger.
_DENSE, _DENSE_MORE = 4, 4096


class Integers:
    """Those values of one feature that are canonical integers of a 64-bit type.

    >>> integers = Integers(pl.Series(["7", "shop", "-12", "07"]), pl.Int64())
    >>> integers.find(pl.Series([-12, 0, 7, None])).tolist()
    [3, 0, 1, 0]
    """

    def __init__(self, values: pl.Series, kind: pl.DataType) -> None:
        numbers = values.cast(kind, strict=False)
        places = np.flatnonzero((numbers.cast(pl.String) == values).fill_null(False).to_numpy())
        keys = numbers[places].to_numpy().view(np.uint64)
        ids = (places + 1).astype(np.int32)
        low, high = numbers[places].min(), numbers[places].max()
        self._dense: Int32s | None = None
        if isinstance(low, int) and isinstance(high, int):
            span = high - low + 1
            if span <= _DENSE * len(keys) + _DENSE_MORE:
                # A zero at both ends, where everything outside is clipped to. Differences are
                # taken modulo 2^64: only what is within comes out within.
                self._base = np.uint64((low - 1) % 2**64)
                self._dense = np.zeros(span + 2, dtype=np.int32)
                self._dense[(keys - self._base).view(np.int64)] = ids
                return
        self._table = HashTable(keys * _MIX, ids)

    def find(self, column: pl.Series) -> Int32s:
        """int32 [n] of a column of integers of any width, 0 where unknown or missing."""
        if not column.null_count():
            return self.find_array(column.to_numpy())
        ids = self.find_array(column.fill_null(0).to_numpy())
        ids[column.is_null().to_numpy()] = 0
        return ids

    def find_array(self, numbers: npt.NDArray[np.generic]) -> Int32s:
        """`find` of integers without gaps."""
        signed = numbers.dtype.kind == "i"
        bits: UInt64s = numbers.astype(np.int64 if signed else np.uint64).view(np.uint64)
        if self._dense is None:
            return self._table.lookup(bits * _MIX)
        # "clip" leaves out numpy's own, slower check of bounds.
        return self._dense.take((bits - self._base).view(np.int64), mode="clip")
