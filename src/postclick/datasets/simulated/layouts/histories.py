"""What users met in the past: counts by user and code, as lists and for look-up."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.datasets.aliccp.spill import list_series
from postclick.datasets.simulated.population import Floats, Ints

MOST_EVENTS = 60
# Users whose tastes are held at once, times categories: 16 MB.
CELLS = 1 << 21


@dataclass(frozen=True)
class History:
    """How often each user met each code.

    Attributes:
        key: user x `codes` + code, ascending, one for each that was met, shape (k,).
        count: how often, shape (k,).
        codes: number of codes.
    """

    key: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    codes: int

    @classmethod
    def of(cls, user: Ints, code: Ints, codes: int) -> Self:
        """Count meetings, shapes (m,); those with a negative code are none."""
        met = code >= 0
        key = user[met].astype(np.int64) * codes + code[met]
        keys, counts = np.unique(key, return_counts=True)
        return cls(keys, counts, codes)

    def look_up(self, user: Ints, code: Ints) -> Floats:
        """How often each user met the code beside it; 0 for a negative code. Shapes (n,)."""
        key = user.astype(np.int64) * self.codes + code
        place = np.minimum(np.searchsorted(self.key, key), self.key.size - 1)
        met = (code >= 0) & (self.key[place] == key)
        return np.where(met, self.count[place], 0).astype(np.float64)

    def columns(self, name: str, users: int) -> list[pl.Series]:
        """Codes of each user, the most frequent first, and their ln(1 + count) as weights."""
        user = self.key // self.codes
        order = np.lexsort((-self.count, user))
        length = np.bincount(user, minlength=users)
        code = (self.key % self.codes)[order].astype(np.int32)
        weight = np.log1p(self.count[order]).astype(np.float32)
        # Ids count from 1, as they do in Ali-CCP.
        return [list_series(name, code + 1, length), list_series(f"{name}_weight", weight, length)]


def past_items(
    rng: np.random.Generator,
    user_factors: Floats,
    category_factors: Floats,
    category: Ints,
    popularity: Floats,
) -> tuple[Ints, Ints]:
    """Draw the items that users met in the past; both shapes (events,), users ascending.

    An event is a category, by its popularity times exp(dot product of factors), then an item in
    it by popularity.

    Args:
        user_factors, category_factors: shapes (users, f) and (categories, f).
        category, popularity: of each item, shape (items,).
    """
    users, categories = len(user_factors), len(category_factors)
    length = 3 + np.floor(rng.lognormal(2.4, 0.8, users)).astype(np.int64)
    length = np.minimum(length, MOST_EVENTS)
    order = np.argsort(category, kind="stable")
    edge = np.concatenate(([0.0], np.cumsum(popularity[order])))
    start = np.searchsorted(category[order], np.arange(categories + 1))
    low, size = edge[start[:-1]], np.diff(edge[start])
    chosen = []
    step = max(1, CELLS // categories)
    for first in range(0, users, step):
        taste = user_factors[first : first + step] @ category_factors.T
        odds = np.cumsum(size * np.exp(taste), axis=1)
        odds /= odds[:, -1:]
        # Row r covers r to r + 1: one ascending line to search for all its users at once.
        row = np.repeat(np.arange(len(odds)), length[first : first + step])
        line = (odds + np.arange(len(odds))[:, None]).ravel()
        place = np.searchsorted(line, row + rng.random(row.size), side="right")
        chosen.append(np.minimum(place - row * categories, categories - 1))
    within = np.concatenate(chosen)
    place = low[within] + rng.random(within.size) * size[within]
    item = order[np.minimum(np.searchsorted(edge, place, side="right") - 1, category.size - 1)]
    user = np.repeat(np.arange(users, dtype=np.int32), length)
    return user, item.astype(np.int32)
