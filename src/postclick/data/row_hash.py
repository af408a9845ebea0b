"""Random numbers that belong to a row's number, so that no choice depends on chunks."""

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]
# Independent streams of random numbers for one row.
DRAW, SHUFFLE, SAMPLE, NEGATIVES, GROUPS, FOLDS = 1, 2, 3, 4, 5, 6
_GAMMA = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def row_hash(first: int, count: int, seed: int, stream: int) -> UInt64s:
    """uint64 [count]: hashes of row numbers first, first + 1, ..., no two alike.

    SplitMix64 (Steele, Lea and Flood 2014): a bijection of the row number for each seed and
    stream, so sorting by it is a random permutation without ties.

    >>> bool((row_hash(0, 5, seed=7, stream=1)[2:] == row_hash(2, 3, seed=7, stream=1)).all())
    True
    """
    return key_hash(np.arange(first + 1, first + 1 + count, dtype=np.uint64), seed, stream)


def key_hash(keys: UInt64s, seed: int, stream: int) -> UInt64s:
    """uint64 [n]: hashes of any numbers, those of rows by `row_hash` among them.

    >>> bool((key_hash(np.array([3], dtype=np.uint64), 7, 1) == row_hash(2, 1, 7, 1)).all())
    True
    """
    offset = _mix_int(_mix_int(seed & _MASK) + stream * _GAMMA)
    z = keys * np.uint64(_GAMMA) + np.uint64(offset)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _mix_int(value: int) -> int:
    z = (value + _GAMMA) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def hashes_of(rows: Int64s, seed: int, stream: int) -> UInt64s:
    """uint64 [n]: the hashes of rising row numbers, some of which may have been dropped.

    >>> rows = np.array([4, 6])
    >>> hashes_of(rows, 7, SAMPLE).tolist() == row_hash(4, 3, 7, SAMPLE)[[0, 2]].tolist()
    True
    """
    if len(rows) == 0:
        return np.empty(0, dtype=np.uint64)
    first = int(rows[0])
    hashes = row_hash(first, int(rows[-1]) - first + 1, seed, stream)
    return hashes if len(hashes) == len(rows) else hashes[rows - first]


def uniform(hashes: UInt64s) -> npt.NDArray[np.float64]:
    """Hashes as numbers in [0, 1)."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53
