"""What the server needs of a bundle, and how it makes sure of one before it serves it."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from postclick.errors import InputError

PREDICTIONS = ("pctr", "pcvr", "pctcvr")
# Rows of the warming calls: the smallest request and one that fills a batch.
WARM_ROWS = (1, 256)


class Scorer(Protocol):
    """A loaded bundle; `postclick.serving.bundle.Bundle` is one.

    Both score methods return the float32 columns `pctr`, `pcvr`, `pctcvr`, in the order of the
    rows they were given, may run in several threads at a time, and raise `InputError` for missing
    columns or values of the wrong type.
    """

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the raw columns it needs."""

    @property
    def version(self) -> str:
        """A checksum of the bundle."""

    @property
    def method(self) -> str:
        """Name of the method that trained it."""

    def warm(self) -> None:
        """Build what a first request would build."""

    def score(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Score rows that have every feature."""

    def score_candidates(self, user: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
        """Score rows that share the features of the one row of `user`."""


# (folder, threads of one model call) -> a loaded bundle; InputError if it is damaged.
Opener = Callable[[Path, int | None], Scorer]


def open_checked(folder: Path, open_bundle: Opener, threads: int | None) -> Scorer:
    """Open a bundle and score rows with it: what comes back is ready for its first request.

    Raises:
        InputError: it is damaged, or it loads and its scores are no probabilities.
    """
    scorer = open_bundle(folder, threads)
    scorer.warm()
    for rows in WARM_ROWS:
        blank = pl.DataFrame({name: [None] * rows for name in scorer.features})
        scores = scorer.score(blank)
        if scores.height != rows or not set(PREDICTIONS) <= set(scores.columns):
            raise InputError(
                f"bundle {folder} scores {rows} rows as {scores.height} rows of {scores.columns}: "
                "export it again"
            )
        if not are_probabilities(scores):
            raise InputError(
                f"bundle {folder} predicts values that are no probabilities: "
                "export a run whose metrics are sound"
            )
    return scorer


def are_probabilities(scores: pl.DataFrame) -> bool:
    """Whether all predictions are in [0, 1]; a missing or NaN one is not.

    >>> are_probabilities(pl.DataFrame({"pctr": [0.2], "pcvr": [1.0], "pctcvr": [0.2]}))
    True
    >>> are_probabilities(pl.DataFrame({"pctr": [0.2], "pcvr": [float("nan")], "pctcvr": [0.2]}))
    False
    """
    for name in PREDICTIONS:
        values = scores[name].to_numpy()
        # One that compares false, as NaN does, is no probability.
        if not bool(np.all((values >= 0) & (values <= 1))):
            return False
    return True
