"""What scores raw rows: a bundle, a run, or anything with the same three attributes."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import polars as pl


@runtime_checkable
class Scorer(Protocol):
    """A model that predicts from the raw columns of a log.

    Attributes:
        features: the raw columns that it reads.
    """

    @property
    def features(self) -> Sequence[str]:
        """The raw columns that it reads."""

    def score(self, frame: pl.DataFrame, /) -> pl.DataFrame:
        """Columns `pctr`, `pcvr` and `pctcvr` for each row of `frame`, in order."""
