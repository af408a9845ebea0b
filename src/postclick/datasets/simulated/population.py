"""What worlds draw their users and items from, and how a world's columns are described.

A click signal A and a conversion signal B, uncorrelated and of unit variance, are built from the
same features of users and items with different effects. A world couples them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.schema import LogSchema

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

FACTORS = 4
ZIPF_EXPONENT = 1.0
# Zipf-Mandelbrot offset: without it the first user alone would be a tenth of the log.
ZIPF_OFFSET = 20.0


@dataclass(frozen=True)
class Side:
    """The users or the items of a world, the most frequent first.

    Attributes:
        probability: of being in an impression, shape (n,).
        attributes: their feature columns, n rows.
        effect: what each adds to signal A and B, shape (2, n).
        factors: for the match of users and items, shape (2, n, FACTORS).
    """

    probability: Floats
    attributes: pl.DataFrame
    effect: Floats
    factors: Floats


@dataclass(frozen=True)
class Pairs:
    """What impressions show of a user and an item together.

    Attributes:
        attributes: feature columns, one row per impression.
        effect: what they add to signal A and B, shape (2, rows).
    """

    attributes: pl.DataFrame
    effect: Floats


@dataclass(frozen=True)
class Context:
    """When or where impressions are shown, the same to every user and item.

    Attributes:
        attributes: feature and time columns, one row per impression.
        code: what effects may depend on, from 0, shape (rows,).
        present: from such a code, the probability of each user and of each item of being in an
            impression, where they come and go.
    """

    attributes: pl.DataFrame
    code: Ints
    present: Callable[[int], tuple[Floats, Floats]] | None = None


@dataclass(frozen=True)
class Population:
    """Everyone and everything that a world can show.

    Attributes:
        users, items: the two sides.
        match: share of either signal's variance that the dot product of factors carries.
        pairs: features of pairs from the places of user and item in their sides, if there are any.
        context: when or where impressions are shown, if that matters: from generator, rows, and
            how many of these are the test split's.
        crossed: what users, items and contexts together add to signal A and B, from places of
            users and items and codes of contexts (0 without), shapes (n,), to shape (2, n).
    """

    users: Side
    items: Side
    match: float
    pairs: Callable[[Ints, Ints], Pairs] | None = None
    context: Callable[[np.random.Generator, int, int], Context] | None = None
    crossed: Callable[[Ints, Ints, Ints], Floats] | None = None


@dataclass(frozen=True)
class Layout:
    """The columns of a world's logs and how users and items with such columns are drawn.

    Attributes:
        schema: what the columns mean; it has truth columns for ctr, cvr and conversion.
        draw: from generator, number of users and number of items.
        position: the column with the position; without one, position moves nothing.
        positions: how many there are.
    """

    schema: LogSchema
    draw: Callable[[np.random.Generator, int, int], Population]
    position: str | None = None
    positions: int = 1


def standardized(values: Floats, weight: Floats | None = None) -> Floats:
    """`values` less their weighted mean, in units of their standard deviation (0 if constant)."""
    centred = values - np.average(values, weights=weight)
    spread = float(np.sqrt(np.average(centred**2, weights=weight)))
    # A column of equal numbers keeps a spread of rounding errors.
    return centred / spread if spread > 1e-12 else np.zeros_like(centred)


def zipf(size: int) -> Floats:
    """Probabilities that fall with the rank, shape (size,)."""
    weight = (np.arange(size) + 1.0 + ZIPF_OFFSET) ** -ZIPF_EXPONENT
    probability: Floats = weight / weight.sum()
    return probability


def levels(rng: np.random.Generator, count: int, size: int) -> Ints:
    """Draw codes 0..count-1, the earlier the more frequent."""
    edges = np.cumsum(1.0 / (np.arange(count) + 3.0))
    draws: Floats = rng.random(size) * edges[-1]
    return np.searchsorted(edges[:-1], draws, side="right").astype(np.int32)


def effects(
    rng: np.random.Generator,
    probability: Floats,
    codes: dict[str, Ints],
    drivers: dict[str, Floats],
    shares: dict[str, float],
    own: str | None = None,
) -> Floats:
    """Sum of the main effects on A and B, each scaled to its share of variance; shape (2, n).

    Every value of a code has an effect of its own, `drivers` act linearly, and `own` names the
    share of an effect that each user or item has for itself.
    """
    total = np.zeros((2, probability.size))
    for name, code in codes.items():
        for signal in total:
            effect = rng.standard_normal(code.max() + 1)[code]
            signal += np.sqrt(shares[name]) * standardized(effect, probability)
    for name, values in drivers.items():
        for signal in total:
            direction = rng.choice((-1.0, 1.0))
            signal += direction * np.sqrt(shares[name]) * standardized(values, probability)
    if own is not None:
        for signal in total:
            effect = rng.standard_normal(probability.size)
            signal += np.sqrt(shares[own]) * standardized(effect, probability)
    return total


def factors(
    rng: np.random.Generator, probability: Floats, *codes: Ints, own: float = 0.4
) -> Floats:
    """Latent factors of the codes' values plus `own` times one's own, centred."""
    total = own * rng.standard_normal((2, probability.size, FACTORS))
    for code in codes:
        total += rng.standard_normal((2, code.max() + 1, FACTORS))[:, code]
    centre: Floats = np.einsum("n,snf->sf", probability, total)[:, None]
    return total - centre
