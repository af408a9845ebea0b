"""Metrics that a test registers and that are forgotten after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from postclick.metrics import RatioMetric, Rows, catalogue, figures, registered


class NormalisedEntropy(RatioMetric):
    """NLL over the entropy of the base rate (He et al., 2014): below 1 beats the mean."""

    name = "ne"
    definition = "NLL over the entropy of the base rate,"
    higher_is_better = False

    def summands(self, rows: Rows) -> tuple[Any, ...]:
        return rows.nll, np.square(rows.prediction)

    def ratio(self, rows: Any, positives: Any, nll: Any, squares: Any) -> Any:
        rate = positives / rows
        return nll / rows / -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))


@contextmanager
def forgotten() -> Iterator[None]:
    """What is registered within is not there afterwards."""
    held = registered()
    try:
        yield
    finally:
        catalogue._registered[:] = held
        catalogue._figures.clear()
        catalogue._figures.update(figures(held))
