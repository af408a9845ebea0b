"""Which split each row of a log belongs to: by a hash of its number or group, or by its time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.manifest import SPLITS
from postclick.data.read.canonical import SPLIT
from postclick.data.read.splitting.boundaries import Boundaries
from postclick.data.read.values.group_hash import MISSING
from postclick.data.row_hash import DRAW, GROUPS, NEGATIVES, Int64s, hashes_of, key_hash, uniform

# Rows that no split keeps: unclicked training rows, where negatives are sampled; those of train
# and valid shortly before the next split; those without a time, where the log is split by it.
LEFT_OUT, UNTIMED = "left out", "without a time"
PURGED = {"train": "purged from train", "valid": "purged from valid"}
PLACES = (*SPLITS, LEFT_OUT, *PURGED.values(), UNTIMED)
UInt8s = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Draw:
    """How the rows of one log are divided.

    Attributes:
        split: the split that the log is given for, which has the rows that no other one gets.
        shares: splits that are drawn from it, each with its share of the rows.
        negative_rate: probability with which the log's own split keeps a row without a click; the
            rows kept at a rate are kept at every higher one.
        by_group: rows of one group go to one split, and shares are of the groups, about; a row
            without a group is drawn on its own.
        times: rows are divided by their time, and the shares have been turned into boundaries.

    >>> draw = Draw("train", {"test": 0.25}, negative_rate=0.5, seed=2)
    >>> [PLACES[k] for k in draw.places(np.arange(6), pl.Series([1, 0, 0, 0, 0, 1]))]
    ['train', 'test', 'train', 'left out', 'train', 'test']
    """

    split: str
    shares: Mapping[str, float] = field(default_factory=dict)
    negative_rate: float = 1.0
    seed: int = 0
    by_group: bool = False
    times: Boundaries | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that get rows, the log's own first."""
        return (self.split, *self.shares)

    def places(
        self,
        rows: Int64s,
        click: pl.Series,
        time: pl.Series | None = None,
        group: pl.Series | None = None,
    ) -> UInt8s:
        """uint8 [n]: for each row the number of its place in `PLACES`.

        Args:
            rows: rising row numbers.
            click: 0, 1 or null where it is neither.
            time: as in `Times`, if rows are divided by it.
            group: int64 hashes of `text_hash`, if rows are divided by it.
        """
        places = np.full(len(rows), SPLITS.index(self.split), dtype=np.uint8)
        if self.negative_rate < 1:
            unclicked = (click == 0).fill_null(False).to_numpy()
            chosen = uniform(hashes_of(rows, self.seed, NEGATIVES)) < self.negative_rate
            places[unclicked & ~chosen] = PLACES.index(LEFT_OUT)
        if self.times is not None:
            assert time is not None
            _divide(places, time, self.times)
        elif self.shares:
            chance = self._chance(rows, group)
            low = 0.0
            for name, share in self.shares.items():
                places[(chance >= low) & (chance < low + share)] = SPLITS.index(name)
                low += share
        return places

    def _chance(self, rows: Int64s, group: pl.Series | None) -> npt.NDArray[np.float64]:
        """float64 [n]: numbers in [0, 1) that decide the split of each row."""
        alone = uniform(hashes_of(rows, self.seed, DRAW))
        if not self.by_group:
            return alone
        assert group is not None
        hashes = group.to_numpy()
        together = uniform(key_hash(hashes.view(np.uint64), self.seed, GROUPS))
        return np.where(hashes == MISSING, alone, together)


def _divide(places: UInt8s, time: pl.Series, boundaries: Boundaries) -> None:
    """Move rows to the splits that their times belong to, or out of all of them."""
    values = time.fill_null(np.nan).to_numpy()
    for name, (first, last) in boundaries.spans().items():
        if name != "train":
            places[values >= first] = SPLITS.index(name)
        if last < np.inf and boundaries.purge:
            places[(values >= max(first, last)) & (values < last + boundaries.purge)] = (
                PLACES.index(PURGED[name])
            )
    places[np.isnan(values)] = PLACES.index(UNTIMED)


def by_place(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows of each place that has some, without their column `__split`."""
    places, rows = frame[SPLIT], frame.drop(SPLIT)
    present = np.flatnonzero(np.bincount(places.to_numpy(), minlength=len(PLACES)))
    if len(present) == 1:
        return {PLACES[present[0]]: rows}
    return {PLACES[k]: rows.filter(places == k) for k in present}
