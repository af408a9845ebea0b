"""The layout of Ali-CCP: ids, weighted histories, and crosses of the two sides.

Fields have the names, kinds and meanings of the published log, as `get_dataset("aliccp")` reads it
with `preset=all`; there are fewer values of each, and histories are some 10 to 20 entries long.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.datasets.aliccp.dataset import schema
from postclick.datasets.aliccp.fields import POSITION
from postclick.datasets.aliccp.spill import list_series
from postclick.datasets.simulated.layouts.histories import History, past_items
from postclick.datasets.simulated.layouts.shop import TRUTH
from postclick.datasets.simulated.population import (
    Ints,
    Layout,
    Pairs,
    Population,
    Side,
    effects,
    factors,
    levels,
    standardized,
    zipf,
)

# The user's profile fields, with as many values as the published log has.
PROFILE = {"121": 97, "122": 13, "124": 2, "125": 7, "126": 3, "127": 3, "128": 2, "129": 4}
POSITIONS = 3
# Share of each signal's variance; the histories tell of the match and make up 508.
SHARES = {
    "101": 0.05,
    "121": 0.10,
    "122": 0.06,
    "124": 0.03,
    "125": 0.08,
    "126": 0.04,
    "127": 0.04,
    "128": 0.02,
    "129": 0.04,
    "205": 0.05,
    "206": 0.14,
    "207": 0.08,
    "216": 0.05,
    "508": 0.10,
    "match": 0.12,
}
# Cross: the history and the item's field whose value it looks up there.
CROSSES = {"508": ("109_14", "206"), "509": ("110_14", "207"), "702": ("127_14", "216")}
NO_BRAND = 0.27
MOST_INTENTIONS = 4
TASTE = 0.35


@dataclass(frozen=True)
class _Codes:
    """What items are made of: codes from 0, and -1 where there is none.

    Attributes:
        single: by field, shape (items,).
        intention: shape (items, MOST_INTENTIONS).
        counts: by field, number of codes.
    """

    single: dict[str, Ints]
    intention: Ints
    counts: dict[str, int]


def _draw(rng: np.random.Generator, users: int, items: int) -> Population:
    codes = _item_codes(rng, items)
    item_side, user_side = _items(rng, codes), _users(rng, users)
    histories = _histories(rng, user_side, item_side, codes)
    lists = [c for name, history in histories.items() for c in history.columns(name, users)]
    user_side = replace(user_side, attributes=user_side.attributes.hstack(lists))
    directions = rng.choice((-1.0, 1.0), 2)

    def pairs(user: Ints, item: Ints) -> Pairs:
        columns = []
        for cross, (history, field) in CROSSES.items():
            code = codes.single[field][item]
            value = np.log1p(histories[history].look_up(user, code))
            columns += [
                pl.Series(cross, code + 1).set(pl.Series(value == 0), None),
                pl.Series(f"{cross}_value", value.astype(np.float32)),
            ]
            if cross == "508":
                effect = directions[:, None] * np.sqrt(SHARES[cross]) * standardized(value)
        columns += _intention_cross(histories["150_14"], user, codes.intention[item])
        return Pairs(pl.DataFrame(columns), effect)

    return Population(user_side, item_side, SHARES["match"], pairs)


def _users(rng: np.random.Generator, size: int) -> Side:
    probability = zipf(size)
    codes = {name: levels(rng, count, size) for name, count in PROFILE.items()}
    attributes = {
        "101": np.arange(1, size + 1, dtype=np.int32),
        **{name: code + 1 for name, code in codes.items()},
    }
    effect = effects(rng, probability, codes, {}, SHARES, own="101")
    match = factors(rng, probability, codes["121"], codes["125"])
    return Side(probability, pl.DataFrame(attributes), effect, match)


def _item_codes(rng: np.random.Generator, size: int) -> _Codes:
    """A shop sells within one category and of one brand; intentions go with the category."""
    counts = {
        "206": min(max(5, size // 40), 1_000),
        "207": max(2, size // 2),
        "216": max(2, size // 5),
        "210": min(max(10, size // 20), 2_000),
    }
    shop = levels(rng, counts["207"], size)
    category = levels(rng, counts["206"], counts["207"])[shop]
    brand = levels(rng, counts["216"], counts["207"])[shop]
    brand[rng.random(size) < NO_BRAND] = -1
    intention = levels(rng, counts["210"], size * MOST_INTENTIONS).reshape(size, -1)
    intention[:, 0] = levels(rng, counts["210"], counts["206"])[category]
    length = rng.integers(0, MOST_INTENTIONS + 1, size)
    for slot in range(MOST_INTENTIONS):
        repeated = (intention[:, :slot] == intention[:, slot, None]).any(axis=1)
        intention[repeated | (slot >= length), slot] = -1
    return _Codes({"206": category, "207": shop, "216": brand}, intention, counts)


def _items(rng: np.random.Generator, codes: _Codes) -> Side:
    size = len(codes.intention)
    probability = zipf(size)
    brand = codes.single["216"] + 1
    attributes = [
        pl.Series("205", np.arange(1, size + 1, dtype=np.int32)),
        *(pl.Series(field, codes.single[field] + 1) for field in ("206", "207")),
        pl.Series("216", brand).set(pl.Series(brand == 0), None),
        _lists("210", codes.intention + 1, codes.intention >= 0),
    ]
    effect = effects(rng, probability, {**codes.single, "216": brand}, {}, SHARES, own="205")
    match = factors(rng, probability, codes.single["206"])
    return Side(probability, pl.DataFrame(attributes), effect, match)


def _histories(
    rng: np.random.Generator, users: Side, items: Side, codes: _Codes
) -> dict[str, History]:
    """What users met in the past; whoever matches a category met more of it."""
    category, counts = codes.single["206"], codes.counts
    # Both signals' factors side by side: the past shows what a user clicks and what they buy.
    taste = np.concatenate(items.factors, axis=1)
    met = np.maximum(np.bincount(category, minlength=counts["206"]), 1)
    mean = np.stack([np.bincount(category, f, minlength=counts["206"]) / met for f in taste.T], 1)
    user, item = past_items(
        rng, TASTE * np.concatenate(users.factors, axis=1), mean, category, items.probability
    )
    histories = {
        name: History.of(user, codes.single[field][item], counts[field])
        for name, field in CROSSES.values()
    }
    slots = codes.intention[item]
    repeated = np.repeat(user, MOST_INTENTIONS)
    histories["150_14"] = History.of(repeated, slots.ravel(), counts["210"])
    return histories


def _intention_cross(history: History, user: Ints, intention: Ints) -> list[pl.Series]:
    """Field 853: those of the item's intentions, shape (n, MOST_INTENTIONS), that the user had."""
    value: npt.NDArray[np.float32] = np.zeros(intention.shape, np.float32)
    for slot, code in enumerate(intention.T):
        value[:, slot] = np.log1p(history.look_up(user, code))
    return [_lists("853", intention + 1, value > 0), _lists("853_weight", value, value > 0)]


def _lists(
    name: str, values: Ints | npt.NDArray[np.float32], kept: npt.NDArray[np.bool_]
) -> pl.Series:
    """A list per row of those of `values` that are `kept`, shapes (n, k)."""
    return list_series(name, values[kept], kept.sum(axis=1))


_SCHEMA = schema("all")
ALICCP_LIKE = Layout(
    # Nothing but what is drawn: the sample ids that the published log has besides are not.
    _SCHEMA.model_copy(update={"ignore": (), "truth": TRUTH}),
    _draw,
    POSITION,
    POSITIONS,
)
