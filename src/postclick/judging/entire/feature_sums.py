"""Sums of features over frames in bounded memory: by level, and of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from postclick.judging.entire.inputs import Floats
from postclick.judging.value_names import MISSING, OTHERS, RESERVED

# More levels are not kept: the rarest join the others.
MOST = 4_096


class LevelSums:
    """The sums of some columns for each level of a category; the rarest levels are pooled.

    Levels beyond `MOST` join `OTHERS`, those of least `size` first. A level with one row in a
    hundred is far from that, in whatever order rows come.

    >>> sums = LevelSums(("size", "clicked"))
    >>> frame = pl.DataFrame({"shop": ["a", None, "a"], "size": [1.0] * 3, "clicked": [0.0, 1, 1]})
    >>> sums.add(frame, "shop")
    >>> sums.frame().sort("level").rows()
    [('(missing)', 1.0, 1.0), ('a', 2.0, 1.0)]
    """

    def __init__(self, columns: Sequence[str]) -> None:
        """`columns` are what is summed up, `size` first."""
        self._columns = tuple(columns)
        self._sums = pl.DataFrame(schema={"level": pl.String, **dict.fromkeys(columns, pl.Float64)})

    def add(self, frame: pl.DataFrame, name: str) -> None:
        """Add rows: a frame with the category and the columns."""
        text = pl.col(name).cast(pl.String)
        quoted = pl.concat_str(pl.lit('"'), text, pl.lit('"'))
        level = pl.when(text.is_in(RESERVED)).then(quoted).otherwise(text).fill_null(MISSING)
        summed = frame.group_by(name, maintain_order=True).agg(pl.col(self._columns).sum())
        self._take(summed.select(level.alias("level"), *self._columns))

    def merge(self, other: LevelSums) -> None:
        """Add the sums of `other`, which stays as it is."""
        self._take(other._sums)

    def frame(self) -> pl.DataFrame:
        """`level` and the sums, a row for each level."""
        return self._sums

    def _take(self, summed: pl.DataFrame) -> None:
        both = pl.concat([self._sums, summed])
        found = both.group_by("level", maintain_order=True).agg(pl.col(self._columns).sum())
        if found.height > MOST:
            ordered = found.sort(["size", "level"], descending=[True, False])
            rest = ordered[MOST - 1 :].with_columns(pl.lit(OTHERS).alias("level"))
            found = pl.concat([ordered[: MOST - 1], rest])
            found = found.group_by("level", maintain_order=True).agg(pl.col(self._columns).sum())
        self._sums = found


class NumberSums:
    """Sums of a number under several weightings of the rows, and of its square under the first.

    All are off its first value, which keeps their digits; missing values are left out.

    Attributes:
        origin: the first value, None before there is one.
        size: of each weighting, the weight of the rows.
        total: of each, the sum of the number off the origin.
        squares: the sum of its squares off the origin, under the first.

    >>> sums = NumberSums(2)
    >>> sums.add(pl.Series([5.0, None, 7.0]), np.ones(3), np.array([1.0, 1.0, 3.0]))
    >>> sums.origin, sums.size.tolist(), sums.total.tolist(), sums.squares
    (5.0, [2.0, 4.0], [2.0, 6.0], 4.0)
    """

    def __init__(self, weightings: int) -> None:
        self.origin: float | None = None
        self.size, self.total = np.zeros(weightings), np.zeros(weightings)
        self.squares = 0.0

    def add(self, values: pl.Series, *weights: Floats) -> None:
        """Add rows: the number, and the rows' weights in each weighting, shapes `(n,)`."""
        x = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
        there = np.isfinite(x)
        if not there.any():
            return
        x = x[there]
        if self.origin is None:
            self.origin = float(x[0])
        x = x - self.origin
        of_rows = [one[there] for one in weights]
        self.size += [float(one.sum()) for one in of_rows]
        self.total += [float(one @ x) for one in of_rows]
        self.squares += float(of_rows[0] @ np.square(x))

    def merge(self, other: NumberSums) -> None:
        """Add the sums of `other`, which stays as it is."""
        if other.origin is None:
            return
        if self.origin is None:
            self.origin = other.origin
        shift = other.origin - self.origin
        self.squares += other.squares + 2 * shift * float(other.total[0])
        self.squares += shift * shift * float(other.size[0])
        self.size += other.size
        self.total += other.total + shift * other.size
