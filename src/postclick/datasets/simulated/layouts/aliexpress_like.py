"""The layout of AliExpress: 16 categorical and 63 numeric columns, and no ids."""

import numpy as np
import polars as pl
from scipy.special import ndtri

from postclick.datasets.aliexpress.columns import NUMERICAL
from postclick.datasets.aliexpress.dataset import schema
from postclick.datasets.simulated.layouts.shop import TRUTH
from postclick.datasets.simulated.population import (
    FACTORS,
    Floats,
    Layout,
    Population,
    Side,
    effects,
    factors,
    levels,
    standardized,
    zipf,
)

# Values of each categorical column, about as many as a sample of the published log shows.
USER_LEVELS = dict(
    zip([f"categorical_{n}" for n in range(1, 10)], (10, 8, 6, 2, 24, 7, 50, 8, 7), strict=True)
)
ITEM_LEVELS = {f"categorical_{n}": 2 for n in range(10, 17)}
USER_NUMBERS = [name for name, (table, _) in NUMERICAL.items() if table == "user"]
ITEM_NUMBERS = [name for name, (table, _) in NUMERICAL.items() if table == "item"]
# Share of each signal's variance: 0.36 user categories, 0.14 item categories, 0.12 match, and what
# a weighted sum of the numbers of either side carries.
SHARES = {
    **dict.fromkeys(USER_LEVELS, 0.04),
    **dict.fromkeys(ITEM_LEVELS, 0.02),
    "user numbers": 0.14,
    "item numbers": 0.24,
    "match": 0.12,
}


def _draw(rng: np.random.Generator, users: int, items: int) -> Population:
    return Population(
        _side(rng, users, USER_LEVELS, USER_NUMBERS, "user numbers"),
        _side(rng, items, ITEM_LEVELS, ITEM_NUMBERS, "item numbers"),
        SHARES["match"],
    )


def _side(
    rng: np.random.Generator, size: int, counts: dict[str, int], names: list[str], group: str
) -> Side:
    probability = zipf(size)
    codes = {name: levels(rng, count, size) for name, count in counts.items()}
    numbers = _numbers(rng, size, len(names))
    effect = effects(rng, probability, codes, {}, SHARES)
    for signal in effect:
        # The stored, rounded numbers: what no column shows must move nothing here.
        weights = rng.standard_normal(len(numbers))
        columns = np.stack([standardized(column, probability) for column in numbers])
        signal += np.sqrt(SHARES[group]) * standardized(weights @ columns, probability)
    attributes = pl.DataFrame(
        {**codes, **{n: c.astype(np.float32) for n, c in zip(names, numbers, strict=True)}}
    )
    match = factors(rng, probability, *codes.values(), own=0.0)
    return Side(probability, attributes, effect, match)


def _numbers(rng: np.random.Generator, size: int, count: int) -> Floats:
    """Correlated numbers in [0, 1), shape (count, size), many of them 0 as in the real columns."""
    latent = rng.standard_normal((FACTORS, size))
    columns = np.empty((count, size))
    for column in columns:
        loading = rng.standard_normal(FACTORS)
        loading *= np.sqrt(rng.uniform(0.2, 0.8) / (loading @ loading))
        noise = np.sqrt(1 - loading @ loading) * rng.standard_normal(size)
        threshold = ndtri(rng.uniform(0.02, 0.9))
        above = np.maximum(loading @ latent + noise - threshold, 0.0)
        column[:] = np.round(1 - np.exp(-rng.uniform(0.2, 1.0) * above), 6)
    return columns


ALIEXPRESS_LIKE = Layout(
    # The search ids that the published log has besides are not drawn.
    schema().model_copy(update={"ignore": (), "truth": TRUTH}),
    _draw,
)
