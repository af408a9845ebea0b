"""What the server needs of a bundle, and how it makes sure of one before it serves it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import polars as pl

from postclick.calibration.probabilities import Probabilities
from postclick.data.lookup.raw_rows import RawRows
from postclick.errors import InputError

# Rows of the warming calls: the smallest request and one that fills a block.
WARM_ROWS = (1, 512)


class ServedBundle(Protocol):
    """A loaded bundle; `postclick.serving.bundle.bundle.Bundle` is one."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the raw columns it needs."""

    @property
    def vector_sizes(self) -> Mapping[str, int]:
        """Those of them that are vectors, and how many numbers each has."""

    @property
    def version(self) -> str:
        """A checksum of the bundle."""

    @property
    def method(self) -> str:
        """Name of the method that trained it."""

    def warm(self) -> None:
        """Build what a first request would build."""

    def predict(self, rows: RawRows, user: RawRows | None = None) -> Probabilities:
        """Score rows in their order; they share the columns of the one row of `user`.

        May run in several threads at a time. Raises `InputError` for missing columns or values of
        the wrong type.
        """


# (folder, threads of one model call) -> a loaded bundle; InputError if it is damaged.
BundleOpener = Callable[[Path, int | None], ServedBundle]


def open_checked(folder: Path, open_bundle: BundleOpener, threads: int | None) -> ServedBundle:
    """Open a bundle and score rows with it: what comes back is ready for its first request.

    Raises:
        InputError: it is damaged, or it loads and its scores are no probabilities.
    """
    bundle = open_bundle(folder, threads)
    bundle.warm()
    for rows in WARM_ROWS:
        blank = pl.DataFrame({name: [None] * rows for name in bundle.features})
        scores = bundle.predict(RawRows(blank))
        if any(len(values) != rows for values in scores):
            raise InputError(
                f"bundle {folder} scores {rows} rows as {len(scores.pctr)}: export it again"
            )
        if not are_probabilities(scores):
            raise InputError(
                f"bundle {folder} predicts values that are no probabilities: "
                "export a run whose metrics are sound"
            )
    return bundle


def are_probabilities(scores: Probabilities) -> bool:
    """Whether all predictions are in [0, 1]; NaN is not.

    >>> import numpy as np
    >>> are_probabilities(Probabilities(*np.float32([[0.2], [1.0], [0.2]])))
    True
    >>> are_probabilities(Probabilities(*np.float32([[0.2], [np.nan], [0.2]])))
    False
    """
    # The least and the largest of values with a NaN are NaN, which compares false.
    return all(bool(values.min() >= 0 and values.max() <= 1) for values in scores)
