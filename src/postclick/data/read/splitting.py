"""Which split each row of a log belongs to, drawn by a hash of its number."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.manifest import SPLITS
from postclick.data.read.canonical import SPLIT
from postclick.data.row_hash import DRAW, NEGATIVES, Int64s, hashes_of, uniform

# Rows that no split keeps: unclicked training rows, where negatives are sampled.
LEFT_OUT = "left out"
PLACES = (*SPLITS, LEFT_OUT)
UInt8s = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Draw:
    """How the rows of one log are divided.

    Attributes:
        split: the split that the log is given for, which has the rows that no other one gets.
        shares: splits that are drawn from it, each with its share of the rows.
        negative_rate: probability with which the log's own split keeps a row without a click; the
            rows kept at a rate are kept at every higher one.

    >>> draw = Draw("train", {"test": 0.25}, negative_rate=0.5, seed=2)
    >>> [PLACES[k] for k in draw.places(np.arange(6), pl.Series([1, 0, 0, 0, 0, 1]))]
    ['train', 'test', 'train', 'left out', 'train', 'test']
    """

    split: str
    shares: Mapping[str, float] = field(default_factory=dict)
    negative_rate: float = 1.0
    seed: int = 0

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that get rows, the log's own first."""
        return (self.split, *self.shares)

    def places(self, rows: Int64s, click: pl.Series) -> UInt8s:
        """uint8 [n]: for each row the number of its place in `PLACES`.

        Args:
            rows: rising row numbers.
            click: 0, 1 or null where it is neither.
        """
        places = np.full(len(rows), SPLITS.index(self.split), dtype=np.uint8)
        if self.negative_rate < 1:
            unclicked = (click == 0).fill_null(False).to_numpy()
            chosen = uniform(hashes_of(rows, self.seed, NEGATIVES)) < self.negative_rate
            places[unclicked & ~chosen] = PLACES.index(LEFT_OUT)
        if self.shares:
            chance = uniform(hashes_of(rows, self.seed, DRAW))
            low = 0.0
            for name, share in self.shares.items():
                places[(chance >= low) & (chance < low + share)] = SPLITS.index(name)
                low += share
        return places


def by_place(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows of each place that has some, without their column `__split`."""
    places, rows = frame[SPLIT], frame.drop(SPLIT)
    present = np.flatnonzero(np.bincount(places.to_numpy(), minlength=len(PLACES)))
    if len(present) == 1:
        return {PLACES[present[0]]: rows}
    return {PLACES[k]: rows.filter(places == k) for k in present}
