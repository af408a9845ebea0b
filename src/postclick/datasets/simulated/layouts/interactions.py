"""The columns of the shop, with most of what moves the signals in pairs and triples of them.

Every term joins fields of the user with fields of the item, and is centred in each of its fields:
no function of the user and no function of the item, whatever columns it reads and the ids among
them, has any part of it.
"""

from dataclasses import dataclass, replace

import numpy as np

from postclick.datasets.simulated.layouts import shop
from postclick.datasets.simulated.population import Floats, Ints, Layout, Population, Side

# Share of each signal's variance: what is additive, as in the shop, and the terms.
MAIN, MATCH = 0.34, 0.08
PAIRS = {
    ("age_band", "category"): 0.08,
    ("city", "category"): 0.06,
    ("gender", "category"): 0.06,
    ("device", "price"): 0.04,
    ("activity", "price"): 0.05,
    ("age_band", "rating"): 0.04,
}
TRIPLES = {
    ("age_band", "gender", "category"): 0.08,
    ("age_band", "device", "category"): 0.06,
    ("age_band", "category", "price"): 0.05,
    ("city", "category", "rating"): 0.06,
}
# Numbers act by which fifth of their values they are in.
BANDS, NUMBERS = 5, ("activity", "price", "rating")
# Fields within a side hang together a little: centring one spoils another, less each round.
ROUNDS = 12


@dataclass(frozen=True)
class Cells:
    """The values of some fields of one side, taken together.

    Attributes:
        code: of each user, or item, shape (n,), in the order of a table of the shape `counts`.
        counts: numbers of values of the fields.
        mass: probability of each cell, shape `counts`.
    """

    code: Ints
    counts: tuple[int, ...]
    mass: Floats

    @classmethod
    def of(cls, side: Side, fields: list[str]) -> "Cells":
        codes = [_codes(side, name) for name in fields]
        counts = tuple(int(code.max()) + 1 for code in codes)
        code = np.ravel_multi_index(codes, counts).astype(np.int32)
        mass = np.bincount(code, side.probability, int(np.prod(counts))).astype(np.float64)
        return cls(code, counts, mass.reshape(counts))


@dataclass(frozen=True)
class Term:
    """What one pair or triple of fields adds to both signals.

    Attributes:
        user, item: cell of each user and of each item.
        effect: shape (2, cells of users, cells of items).
    """

    user: Ints
    item: Ints
    effect: Floats

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        users: Side,
        items: Side,
        fields: tuple[str, ...],
        share: float,
    ) -> "Term":
        own = [[f for f in fields if f in side.attributes.columns] for side in (users, items)]
        user, item = Cells.of(users, own[0]), Cells.of(items, own[1])
        mass = np.multiply.outer(user.mass, item.mass)
        tables = [pure(rng.standard_normal(mass.shape), mass) for _ in range(2)]
        scaled = [np.sqrt(share / np.sum(mass * t**2)) * t for t in tables]
        return cls(user.code, item.code, np.stack(scaled).reshape(2, user.mass.size, -1))


def pure(table: Floats, mass: Floats) -> Floats:
    """`table` less its means over each field given the others, by `mass`; both of one shape.

    >>> pure(np.array([[1.0, 2.0], [3.0, 8.0]]), np.full((2, 2), 0.25))
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    for _ in range(ROUNDS if table.ndim > 2 else 1):
        for axis in range(table.ndim):
            among = mass.sum(axis=axis, keepdims=True)
            total = (mass * table).sum(axis=axis, keepdims=True)
            table = table - np.divide(total, among, out=np.zeros_like(total), where=among > 0)
    return table


def _codes(side: Side, name: str) -> Ints:
    column = side.attributes[name]
    if name not in NUMBERS:
        return column.rank("dense").to_numpy().astype(np.int32) - 1
    values, weight = column.to_numpy(), side.probability
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    edges = values[order][np.searchsorted(reached, np.arange(1, BANDS) / BANDS)]
    return np.searchsorted(np.unique(edges), values, side="right").astype(np.int32)


def _draw(rng: np.random.Generator, users: int, items: int) -> Population:
    plain = shop.SHOP.draw(rng, users, items)
    scale = np.sqrt(MAIN / (1 - shop.SHARES["match"]))
    sides = [replace(s, effect=scale * s.effect) for s in (plain.users, plain.items)]
    terms = [
        Term.draw(rng, plain.users, plain.items, fields, share)
        for fields, share in (PAIRS | TRIPLES).items()
    ]

    def crossed(user: Ints, item: Ints, context: Ints) -> Floats:
        total = np.zeros((2, user.size))
        for term in terms:
            for signal, effect in zip(total, term.effect, strict=True):
                signal += effect[term.user[user], term.item[item]]
        return total

    return Population(sides[0], sides[1], MATCH, crossed=crossed)


INTERACTIONS = Layout(shop.SCHEMA, _draw, "position", shop.POSITIONS)
