"""A bounded sample of a log that arrives frame by frame, clicked and unclicked rows apart."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

# A stream of its own: rows may have been drawn with the same seed.
STREAM = 0x5A3D
KEY, UNIT, WEIGHT, CLICK = "__key__", "__unit__", "__weight__", "__click__"


class ClickSample:
    """Up to `rows` rows drawn at random, half of them clicked and half not, where there are more.

    Each half is the rows with the least random keys of all seen so far: every row is as likely
    to stay as any other of its kind, whatever the order and the length of the frames.

    >>> sample = ClickSample(rows=100, seed=0)
    >>> click = np.arange(1_000) % 10 == 0
    >>> sample.add(pl.DataFrame({"x": range(1_000)}), click, np.arange(1_000), np.ones(1_000))
    >>> kept = sample.frame()
    >>> kept.height, round(kept[WEIGHT].sum()), kept.filter(CLICK)[WEIGHT][0]
    (100, 1000, 2.0)
    """

    def __init__(self, rows: int, seed: int) -> None:
        self._most = max(1, rows // 2)
        self._rng = np.random.default_rng([seed, STREAM])
        self._kept: dict[bool, pl.DataFrame] = {}
        self._seen = {True: 0.0, False: 0.0}

    def add(
        self,
        features: pl.DataFrame,
        click: NDArray[np.bool_],
        unit: NDArray[np.int64],
        weight: NDArray[np.float64],
    ) -> None:
        """Add rows, shapes `(n,)`."""
        labelled = features.with_columns(
            pl.Series(KEY, self._rng.random(features.height)),
            pl.Series(UNIT, unit),
            pl.Series(WEIGHT, weight),
            pl.Series(CLICK, click),
        )
        for kind in (True, False):
            self._seen[kind] += float(weight[click == kind].sum())
            new = labelled.filter(pl.col(CLICK) == kind)
            held = self._kept.get(kind)
            if held is not None and held.height == self._most:
                new = new.filter(pl.col(KEY) < held[KEY].max())
            both = new if held is None else pl.concat([held, new], how="vertical_relaxed")
            self._kept[kind] = both.bottom_k(self._most, by=KEY)

    def frame(self) -> pl.DataFrame:
        """The rows, by unit; `WEIGHT` is what each stands for among all that were seen."""
        parts = []
        for kind, held in self._kept.items():
            total = float(held[WEIGHT].sum())
            scale = self._seen[kind] / total if total else 0.0
            parts.append(held.with_columns(pl.col(WEIGHT) * scale))
        return pl.concat(parts).sort(UNIT, KEY).drop(KEY)
