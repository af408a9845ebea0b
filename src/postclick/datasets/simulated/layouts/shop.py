"""The plain layout: users, items and shops with a dozen readable columns."""

import numpy as np
import polars as pl

from postclick.data.schema import Categorical, Label, LogSchema, Numeric, Truth
from postclick.datasets.simulated.population import (
    Layout,
    Population,
    Side,
    effects,
    factors,
    levels,
    zipf,
)

TRUTH = Truth(ctr="true_ctr", cvr="true_cvr", conversion="potential_conversion")
SCHEMA = LogSchema(
    click=Label(column="click"),
    conversion=Label(column="conversion"),
    categorical=(
        *(Categorical(name=name, min_count=5) for name in ("user", "item", "shop")),
        *(
            Categorical(name=name)
            for name in ("age_band", "gender", "city", "device", "category", "position")
        ),
    ),
    numeric=(
        Numeric(name="activity", transform="log1p"),
        Numeric(name="price", transform="log1p"),
        Numeric(name="rating"),
    ),
    truth=TRUTH,
)
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
POSITIONS = 10


def _draw(rng: np.random.Generator, users: int, items: int) -> Population:
    return Population(_users(rng, users), _items(rng, items), SHARES["match"])


def _users(rng: np.random.Generator, size: int) -> Side:
    """`activity` is a heavy-tailed count."""
    probability = zipf(size)
    codes = {name: levels(rng, len(labels), size) for name, labels in USER_LABELS.items()}
    activity = np.floor(rng.lognormal(2.0, 1.0, size))
    attributes = {
        "user": np.arange(size, dtype=np.int32),
        **{name: np.array(USER_LABELS[name])[code] for name, code in codes.items()},
        "activity": activity.astype(np.int32),
    }
    drivers = {"activity": np.log1p(activity)}
    effect = effects(rng, probability, codes, drivers, SHARES, own="user")
    match = factors(rng, probability, codes["age_band"], codes["city"])
    return Side(probability, pl.DataFrame(attributes), effect, match)


def _items(rng: np.random.Generator, size: int) -> Side:
    """A shop sells within one category."""
    probability = zipf(size)
    shops = max(2, size // 20)
    shop = levels(rng, shops, size)
    codes = {"category": levels(rng, len(CATEGORIES), shops)[shop], "shop": shop}
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
    drivers = {"price": np.log1p(price), "rating": rating}
    effect = effects(rng, probability, codes, drivers, SHARES, own="item")
    match = factors(rng, probability, codes["category"])
    return Side(probability, pl.DataFrame(attributes), effect, match)


SHOP = Layout(SCHEMA, _draw, "position", POSITIONS)
