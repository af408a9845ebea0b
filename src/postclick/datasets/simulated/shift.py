"""Covariate shift: other users and items in the test split, the same truth for each."""

import numpy as np

from postclick.datasets.simulated.population import Floats, Side, standardized


def shifted(rng: np.random.Generator, side: Side, strength: float) -> Floats:
    """Probability of each user, or item, of being in an impression of the test split.

    Popularity is dealt anew, and those whose attributes speak for clicking and converting become
    rarer: by exp(-strength z), z the sum of their main effects on both signals, standardized.
    Shape (n,).

    >>> import polars as pl
    >>> side = Side(np.full(4, 0.25), pl.DataFrame(), np.array([[0, 1, 2, 3.0]] * 2), np.zeros(0))
    >>> shifted(np.random.default_rng(0), side, 1.0).round(2)
    array([0.61, 0.25, 0.1 , 0.04])
    """
    tendency = standardized(side.effect.sum(axis=0), side.probability)
    weight = rng.permutation(side.probability) * np.exp(-strength * tendency)
    probability: Floats = weight / weight.sum()
    return probability
