"""Ids of integers, which are never turned into text."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.lookup.hash_table import HashTable, Int32s, UInt64s

# An odd number whose product mixes the upper bits (Fibonacci hashing, Knuth 6.4); a bijection.
_MIX = np.uint64(0x9E3779B97F4A7C15)
# A table of places for each number between the least and the largest, if it is not much larger.
_DENSE, _DENSE_MORE = 4, 4096


class IntegerLookup:
    """Those values of one feature that are canonical integers of a 64-bit type.

    Attributes:
        dense: the id of each number from `base` on, where such a table is not too large.

    >>> integers = IntegerLookup(pl.Series(["7", "shop", "-12", "07"]), pl.Int64())
    >>> integers.find(pl.Series([-12, 0, 7, None])).tolist()
    [3, 0, 1, 0]
    """

    def __init__(self, values: pl.Series, kind: pl.DataType) -> None:
        numbers = values.cast(kind, strict=False)
        places = np.flatnonzero((numbers.cast(pl.String) == values).fill_null(False).to_numpy())
        keys = numbers[places].to_numpy().view(np.uint64)
        ids = (places + 1).astype(np.int32)
        low, high = numbers[places].min(), numbers[places].max()
        self.dense: Int32s | None = None
        self.base = np.uint64(0)
        if isinstance(low, int) and isinstance(high, int):
            span = high - low + 1
            if span <= _DENSE * len(keys) + _DENSE_MORE:
                # A zero at both ends, where everything outside is clipped to. Differences are
                # taken modulo 2^64: only what is within comes out within.
                self.base = np.uint64((low - 1) % 2**64)
                self.dense = np.zeros(span + 2, dtype=np.int32)
                self.dense[(keys - self.base).view(np.int64)] = ids
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
        if self.dense is None:
            return self._table.lookup(bits * _MIX)
        # "clip" leaves out numpy's own, slower check of bounds.
        return self.dense.take((bits - self.base).view(np.int64), mode="clip")


class IntegerColumns:
    """The lookups of several features, whose tables are one, so that they are read in one sweep.

    >>> columns = [IntegerLookup(pl.Series(values), pl.Int64()) for values in (["7", "8"], ["1"])]
    >>> block = IntegerColumns(columns)
    >>> block.find(np.array([[8, 1], [1, 9]]), np.array([0, 1])).tolist()
    [[2, 1], [0, 0]]
    """

    def __init__(self, columns: Sequence[IntegerLookup]) -> None:
        self._columns = tuple(columns)
        tables = [np.zeros(1, np.int32) if c.dense is None else c.dense for c in columns]
        ends = np.cumsum([len(table) for table in tables])
        self._table = np.concatenate(tables) if tables else np.zeros(0, np.int32)
        self._base = np.array([column.base for column in columns], dtype=np.uint64)
        self._last = np.array([len(table) - 1 for table in tables], dtype=np.uint64)
        self._first = (ends - [len(table) for table in tables]).astype(np.uint64)
        self._sparse = np.array([column.dense is None for column in columns], dtype=np.bool_)
        for column, end in zip(columns, ends.tolist(), strict=True):
            if column.dense is not None:  # held once
                column.dense = self._table[end - len(column.dense) : end]

    def find(
        self, matrix: npt.NDArray[np.int64], which: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.int32]:
        """int32 [n, k] ids of int64 [n, k]; column j holds values of feature `which[j]`."""
        places = matrix.view(np.uint64) - self._base[which]
        np.minimum(places, self._last[which], out=places)
        places += self._first[which]
        ids: npt.NDArray[np.int32] = self._table.take(places.view(np.int64), mode="clip")
        for column in self._sparse[which].nonzero()[0]:
            ids[:, column] = self._columns[which[column]].find_array(matrix[:, column])
        return ids
