"""Keys to ids by a search that starts where the key has to be."""

import numpy as np
import numpy.typing as npt

UInt64s = npt.NDArray[np.uint64]
Int32s = npt.NDArray[np.int32]


class HashTable:
    """Maps distinct uint64 keys, whose upper bits have to be mixed, to positive ids.

    The keys are sorted, and a second array says for each pattern of upper bits where its keys
    begin: four to eight patterns for each key, so that few searches go on. All keys are looked
    up at a time, then those that have to go on.

    >>> keys = np.array([7 << 60, 9 << 60], dtype=np.uint64)
    >>> table = HashTable(keys, np.array([1, 2], dtype=np.int32))
    >>> table.lookup(np.array([9 << 60, 7 << 60, 8 << 60], dtype=np.uint64)).tolist()
    [2, 1, 0]
    """

    def __init__(self, keys: UInt64s, ids: Int32s) -> None:
        order = np.argsort(keys)
        bits = max(1, (4 * len(keys) - 1).bit_length())
        self._shift = np.uint64(64 - bits)
        # The largest key comes last once more, with id 0: every search ends there at the latest.
        self._keys = np.append(keys[order], np.uint64(2**64 - 1))
        self._ids = np.append(ids[order], np.int32(0))
        patterns = np.arange(1 << bits, dtype=np.uint64) << self._shift
        self._begins = np.searchsorted(self._keys, patterns).astype(np.int32)

    def lookup(self, keys: UInt64s) -> Int32s:
        """int32 [n]: the id of each key, 0 where there is none."""
        # Not int32: every use as an index would make it int64 again.
        places = self._begins.take((keys >> self._shift).view(np.int64)).astype(np.int64)
        found = self._keys.take(places)
        going = (found < keys).nonzero()[0]
        while going.size:
            after = places.take(going) + 1
            here = self._keys.take(after)
            places[going], found[going] = after, here
            going = going[here < keys.take(going)]
        ids = self._ids.take(places)
        unknown = found != keys
        if unknown.any():
            ids[unknown] = 0
        return ids
