"""The worlds that `simulate` draws from: who is shown what, and what moves clicks and conversions.

A click signal A and a conversion signal B, uncorrelated and of unit variance, are built from the
same attributes of users and items with different effects. A world couples them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

# Share of each signal's variance. Attributes of few values and numerics carry 0.70, what can be
# learned only from ids (shop, user, item) 0.18, and the match of user and item factors 0.12.
SHARES = {
    "age_band": 0.10,
    "gender": 0.04,
    "city": 0.10,
    "device": 0.06,
    "activity": 0.08,
    "user": 0.05,
    "category": 0.14,
    "price": 0.10,
    "rating": 0.08,
    "shop": 0.08,
    "item": 0.05,
    "match": 0.12,
}
USER_LABELS = {
    "age_band": ("25-34", "35-44", "18-24", "45-54", "55-64", "65+"),
    "gender": ("female", "male", "unknown"),
    "city": tuple(f"city_{number:02d}" for number in range(20)),
    "device": ("android", "ios", "desktop", "tablet"),
}
CATEGORIES = tuple(f"category_{number:02d}" for number in range(25))
FACTORS = 4
POSITIONS = 10
ZIPF_EXPONENT = 1.0
# Zipf-Mandelbrot offset: without it the first user alone would be a tenth of the log.
ZIPF_OFFSET = 20.0


@dataclass(frozen=True)
class World:
    """How clicks and conversions hang together.

    Attributes:
        name, summary: as given to `--world`, and what it is for.
        dependence: default correlation of the click and the conversion signal.
        logit_sd: standard deviation of either logit's signal.
        hidden: the dependence comes from a confounder that no feature shows.
    """

    name: str
    summary: str
    dependence: float
    logit_sd: float = 1.3
    hidden: bool = False


WORLDS: dict[str, World] = {
    world.name: world
    for world in (
        World(
            "independent", "uncorrelated: who clicks is no likelier to buy than who does not", 0.0
        ),
        World("confounded", "who clicks, buys: features drive both the same way", 0.75),
        World("adverse", "the lower the CTR, the higher the CVR", -0.75),
        World(
            "hidden",
            "an unobserved confounder drives both; features drive them independently",
            0.4,
            # Wider by 1 / sqrt(1 - 0.4), so that the features weigh what they weigh elsewhere.
            logit_sd=1.68,
            hidden=True,
        ),
    )
}


def get_world(name: str) -> World:
    """The world called `name`.

    Raises:
        InputError: there is none of that name.

    >>> get_world("adverse").dependence
    -0.75
    """
    try:
        return WORLDS[name]
    except KeyError:
        raise InputError(
            f"no world is called {name!r}: choose one of {', '.join(WORLDS)}"
        ) from None


@dataclass(frozen=True)
class Side:
    """The users or the items of a world, the most frequent first.

    Attributes:
        probability: of being in an impression, shape (n,).
        attributes: their feature columns, n rows, the id first.
        effect: what each adds to signal A and B, shape (2, n).
        factors: for the match of users and items, shape (2, n, FACTORS).
    """

    probability: Floats
    attributes: pl.DataFrame
    effect: Floats
    factors: Floats


def standardized(values: Floats, weight: Floats | None = None) -> Floats:
    """`values` less their weighted mean, in units of their standard deviation (0 if constant)."""
    centred = values - np.average(values, weights=weight)
    spread = float(np.sqrt(np.average(centred**2, weights=weight)))
    # A column of equal numbers keeps a spread of rounding errors.
    return centred / spread if spread > 1e-12 else np.zeros_like(centred)


def _zipf(size: int) -> Floats:
    weight = (np.arange(size) + 1.0 + ZIPF_OFFSET) ** -ZIPF_EXPONENT
    probability: Floats = weight / weight.sum()
    return probability


def _levels(rng: np.random.Generator, count: int, size: int) -> Ints:
    """Draw codes 0..count-1, the earlier the more frequent."""
    edges = np.cumsum(1.0 / (np.arange(count) + 3.0))
    draws: Floats = rng.random(size) * edges[-1]
    return np.searchsorted(edges[:-1], draws, side="right").astype(np.int32)


def _effects(
    rng: np.random.Generator,
    probability: Floats,
    codes: dict[str, Ints],
    drivers: dict[str, Floats],
    id_name: str,
) -> Floats:
    """Sum of the main effects on A and B, each scaled to its share; `drivers` act linearly."""
    total = np.zeros((2, probability.size))
    for name, code in codes.items():
        for signal in total:
            effect = rng.standard_normal(code.max() + 1)[code]
            signal += np.sqrt(SHARES[name]) * standardized(effect, probability)
    for name, values in drivers.items():
        for signal in total:
            direction = rng.choice((-1.0, 1.0))
            signal += direction * np.sqrt(SHARES[name]) * standardized(values, probability)
    for signal in total:
        own = rng.standard_normal(probability.size)
        signal += np.sqrt(SHARES[id_name]) * standardized(own, probability)
    return total


def _factors(rng: np.random.Generator, probability: Floats, *codes: Ints) -> Floats:
    """Latent factors of attributes plus a smaller part of one's own, centred."""
    total = 0.4 * rng.standard_normal((2, probability.size, FACTORS))
    for code in codes:
        total += rng.standard_normal((2, code.max() + 1, FACTORS))[:, code]
    centre: Floats = np.einsum("n,snf->sf", probability, total)[:, None]
    return total - centre


def draw_users(rng: np.random.Generator, size: int) -> Side:
    """Draw the users of a world and their effects; `activity` is a heavy-tailed count."""
    probability = _zipf(size)
    codes = {name: _levels(rng, len(labels), size) for name, labels in USER_LABELS.items()}
    activity = np.floor(rng.lognormal(2.0, 1.0, size))
    attributes = {
        "user": np.arange(size, dtype=np.int32),
        **{name: np.array(USER_LABELS[name])[code] for name, code in codes.items()},
        "activity": activity.astype(np.int32),
    }
    effect = _effects(rng, probability, codes, {"activity": np.log1p(activity)}, "user")
    factors = _factors(rng, probability, codes["age_band"], codes["city"])
    return Side(probability, pl.DataFrame(attributes), effect, factors)


def draw_items(rng: np.random.Generator, size: int) -> Side:
    """Draw the items of a world and their effects; a shop sells within one category."""
    probability = _zipf(size)
    shops = max(2, size // 20)
    shop = _levels(rng, shops, size)
    codes = {"category": _levels(rng, len(CATEGORIES), shops)[shop], "shop": shop}
    level = rng.normal(3.0, 0.7, len(CATEGORIES))[codes["category"]]
    price = np.round(np.exp(level + 0.6 * rng.standard_normal(size)), 2)
    rating = rng.normal(3.8, 0.6, size).clip(1.0, 5.0).round(1)
    attributes = {
        "item": np.arange(size, dtype=np.int32),
        "category": np.array(CATEGORIES)[codes["category"]],
        "shop": shop,
        "price": price,
        "rating": rating,
    }
    effect = _effects(rng, probability, codes, {"price": np.log1p(price), "rating": rating}, "item")
    factors = _factors(rng, probability, codes["category"])
    return Side(probability, pl.DataFrame(attributes), effect, factors)
