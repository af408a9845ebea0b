"""Random numbers that belong to a row's number, so that no choice depends on chunks."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.manifest import CLICK, CONVERSION
from postclick.data.read.canonical import ROW

UInt64s = npt.NDArray[np.uint64]
# What to do with rows whose labels are wrong.
BadRows = Literal["error", "drop", "keep"]
# Independent streams of random numbers for one row.
DRAW, SHUFFLE, SAMPLE, NEGATIVES = 1, 2, 3, 4
_GAMMA = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def row_hash(first: int, count: int, seed: int, stream: int) -> UInt64s:
    """uint64 [count]: hashes of row numbers first, first + 1, ..., no two alike.

    SplitMix64 (Steele, Lea and Flood 2014): a bijection of the row number for each seed and
    stream, so sorting by it is a random permutation without ties.

    >>> bool((row_hash(0, 5, seed=7, stream=1)[2:] == row_hash(2, 3, seed=7, stream=1)).all())
    True
    """
    offset = _mix_int(_mix_int(seed & _MASK) + stream * _GAMMA)
    rows = np.arange(first + 1, first + 1 + count, dtype=np.uint64)
    z = rows * np.uint64(_GAMMA) + np.uint64(offset)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _mix_int(value: int) -> int:
    z = (value + _GAMMA) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def uniform(hashes: UInt64s) -> npt.NDArray[np.float64]:
    """Hashes as numbers in [0, 1)."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def with_rows(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    """The frame with its row numbers, counted from `first`, as column `__row`."""
    return frame.with_columns(pl.Series(ROW, np.arange(first, first + frame.height)))


def hashes_of(frame: pl.DataFrame, seed: int, stream: int) -> UInt64s:
    """The hashes of a frame's rows; rows may have been dropped from it."""
    rows = frame[ROW].to_numpy()
    if len(rows) == 0:
        return np.empty(0, dtype=np.uint64)
    first = int(rows[0])
    hashes = row_hash(first, int(rows[-1]) - first + 1, seed, stream)
    return hashes if len(hashes) == len(rows) else hashes[rows - first]


def sampled(frame: pl.DataFrame, rate: float, seed: int) -> npt.NDArray[np.bool_]:
    """Bool [n]: all rows but those without a click, which stay with probability `rate`.

    The rows that stay at a rate stay at every higher one.

    >>> frame = with_rows(pl.DataFrame({CLICK: [1, 0, 0, 0, 0, 1]}), first=0)
    >>> sampled(frame, 0.5, seed=2).tolist()
    [True, True, True, False, True, True]
    """
    if rate >= 1:
        return np.ones(frame.height, dtype=np.bool_)
    unclicked = (frame[CLICK] == 0).fill_null(False).to_numpy()
    chosen = uniform(hashes_of(frame, seed, NEGATIVES)) < rate
    kept: npt.NDArray[np.bool_] = chosen | ~unclicked
    return kept


def settle(frame: pl.DataFrame, policy: BadRows) -> pl.DataFrame:
    """Deal with wrong labels in a canonical frame.

    `drop` leaves out rows with a label that is not 0/1 or a conversion without a click;
    `keep` records conversion 0 where there was no click; `error` changes nothing.
    """
    if policy == "drop":
        good = pl.col(CLICK).is_not_null() & pl.col(CONVERSION).is_not_null()
        return frame.filter(good & (pl.col(CONVERSION) <= pl.col(CLICK)))
    if policy == "keep":
        unclicked = (pl.col(CLICK) == 0) & (pl.col(CONVERSION) == 1)
        kept = pl.when(unclicked).then(pl.lit(0, pl.Int8)).otherwise(pl.col(CONVERSION))
        return frame.with_columns(kept.alias(CONVERSION))
    return frame
