"""Ids alone, and logits from a random network over what is behind them.

Users, items and surfaces have latent factors, which no column shows; both signals are outputs of
one network of two hidden layers with random weights, fixed once for a world.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from postclick.data.schema import Categorical, Label, LogSchema
from postclick.datasets.simulated.layouts.shop import POSITIONS, TRUTH
from postclick.datasets.simulated.population import (
    FACTORS,
    Context,
    Floats,
    Ints,
    Layout,
    Population,
    Side,
    levels,
    zipf,
)

SCHEMA = LogSchema(
    click=Label(column="click"),
    conversion=Label(column="conversion"),
    categorical=(
        *(Categorical(name=name, min_count=5) for name in ("user", "item")),
        *(Categorical(name=name) for name in ("position", "surface")),
    ),
    truth=TRUTH,
)
SURFACES = ("home", "search", "category", "item", "cart", "mail")
LATENT, WIDTH = 3, 64
# Standard deviation of what reaches a unit of the first and of the second hidden layer. The wave
# that the first makes of it turns often enough that little of it is a sum over inputs.
GAINS = 1.9, 1.0
# Impressions whose hidden layers are held at once: 32 MB each.
STEP = 1 << 16


@dataclass(frozen=True)
class Network:
    """A hidden layer of sines, one of tanh, and two outputs, with random weights.

    Attributes:
        first, phase, second, last: shapes (inputs, WIDTH), (WIDTH,), (WIDTH, WIDTH), (WIDTH, 2).
    """

    first: Floats
    phase: Floats
    second: Floats
    last: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, inputs: int) -> "Network":
        first = GAINS[0] / np.sqrt(inputs) * rng.standard_normal((inputs, WIDTH))
        phase = rng.uniform(0.0, 2 * np.pi, WIDTH)
        # The mean square of a sine is one half.
        second = GAINS[1] * np.sqrt(2 / WIDTH) * rng.standard_normal((WIDTH, WIDTH))
        return cls(first, phase, second, rng.standard_normal((WIDTH, 2)))

    def __call__(self, inputs: Floats) -> Floats:
        """From shape (n, inputs) to (n, 2)."""
        out: Floats = np.tanh(np.sin(inputs @ self.first + self.phase) @ self.second) @ self.last
        return out


def _draw(rng: np.random.Generator, users: int, items: int) -> Population:
    latent = [rng.standard_normal((size, LATENT)) for size in (users, items, len(SURFACES))]
    network = Network.draw(rng, 3 * LATENT)

    def crossed(user: Ints, item: Ints, context: Ints) -> Floats:
        total = np.empty((2, user.size))
        for start in range(0, user.size, STEP):
            part = slice(start, start + STEP)
            places = user[part], item[part], context[part]
            inputs = [of[place] for of, place in zip(latent, places, strict=True)]
            total[:, part] = network(np.concatenate(inputs, axis=1)).T
        return total

    def context(rng: np.random.Generator, rows: int, test_rows: int) -> Context:
        code = levels(rng, len(SURFACES), rows)
        return Context(pl.DataFrame({"surface": np.array(SURFACES)[code]}), code)

    sides = _ids("user", users), _ids("item", items)
    return Population(*sides, match=0.0, context=context, crossed=crossed)


def _ids(name: str, size: int) -> Side:
    """No attributes, and no effect but through the network."""
    attributes = pl.DataFrame({name: np.arange(size, dtype=np.int32)})
    return Side(zipf(size), attributes, np.zeros((2, size)), np.zeros((2, size, FACTORS)))


DEEP = Layout(SCHEMA, _draw, "position", POSITIONS)
