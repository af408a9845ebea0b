"""The shop over four weeks: users and items come and go, and rates move from day to day."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl

from postclick.data.schema import Categorical
from postclick.datasets.simulated.layouts import shop
from postclick.datasets.simulated.population import (
    Context,
    Floats,
    Ints,
    Layout,
    Population,
    Side,
    standardized,
)

# A Monday.
START, DAYS = datetime(2026, 1, 5, tzinfo=UTC), 28
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TIME = "shown_at"
SCHEMA = shop.SCHEMA.model_copy(
    update={"categorical": (*shop.SCHEMA.categorical, Categorical(name="weekday")), "time": TIME}
)
# Share of each signal's variance: what is as in the shop, and what moves. `trend` and `weekday`
# move all impressions alike, `category` is a trend of each category's own.
MAIN, MATCH = 0.70, 0.10
MOVES = {"trend": 0.06, "weekday": 0.06, "category": 0.08}
# Impressions of a day and of an hour, relative to each other.
TRAFFIC = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.3, 1.25])
HOURLY = 1.2 + np.sin((np.arange(24) - 13) * np.pi / 12)
# Share of users and of items that are there on all days, and the mean days of the others' stay.
STAYING, STAY = (0.3, 0.25), (14.0, 10.0)


@dataclass(frozen=True)
class Stay:
    """From when until when each user, or item, is there, in days from the start, shapes (n,)."""

    first: Floats
    last: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, size: int, staying: float, mean: float) -> "Stay":
        # Begun so long ago that as many leave as arrive.
        first = rng.uniform(-4 * mean, DAYS, size)
        last = first + rng.exponential(mean, size)
        always = rng.random(size) < staying
        # One is there whatever the dice say.
        always[0] = True
        return cls(np.where(always, -np.inf, first), np.where(always, np.inf, last))

    def present(self, probability: Floats, day: int) -> Floats:
        """Probabilities of those who are there at some time of a day; of the others 0."""
        there = probability * ((self.first < day + 1) & (self.last > day))
        shares: Floats = there / there.sum()
        return shares


def _draw(rng: np.random.Generator, users: int, items: int) -> Population:
    plain = shop.SHOP.draw(rng, users, items)
    scale = np.sqrt(MAIN / (1 - shop.SHARES["match"]))
    sides = [replace(s, effect=scale * s.effect) for s in (plain.users, plain.items)]
    stays = [
        Stay.draw(rng, size, staying, mean)
        for size, staying, mean in zip((users, items), STAYING, STAY, strict=True)
    ]
    moved = _moves(rng, sides[1])
    category = _category(sides[1])

    def context(rng: np.random.Generator, rows: int, test_rows: int) -> Context:
        return _days(
            rng,
            rows,
            test_rows,
            lambda day: (
                stays[0].present(sides[0].probability, day),
                stays[1].present(sides[1].probability, day),
            ),
        )

    def crossed(user: Ints, item: Ints, context: Ints) -> Floats:
        return moved[:, context, category[item]]

    return Population(sides[0], sides[1], MATCH, context=context, crossed=crossed)


def _category(items: Side) -> Ints:
    return items.attributes["category"].rank("dense").to_numpy().astype(np.int32) - 1


def _moves(rng: np.random.Generator, items: Side) -> Floats:
    """What a day adds to both signals in each category, shape (2, DAYS, categories)."""
    category = _category(items)
    mass = np.bincount(category, items.probability).astype(np.float64)
    traffic = np.tile(TRAFFIC, DAYS // 7)
    time = standardized(np.arange(DAYS, dtype=np.float64), traffic)
    moves = []
    for _ in range(2):
        trend = rng.choice((-1.0, 1.0)) * time
        weekday = np.tile(standardized(rng.standard_normal(7), TRAFFIC), DAYS // 7)
        slope = standardized(rng.standard_normal(mass.size), mass)
        moves.append(
            np.sqrt(MOVES["trend"]) * trend[:, None]
            + np.sqrt(MOVES["weekday"]) * weekday[:, None]
            + np.sqrt(MOVES["category"]) * np.multiply.outer(time, slope)
        )
    return np.stack(moves)


def _days(
    rng: np.random.Generator,
    rows: int,
    test_rows: int,
    present: Callable[[int], tuple[Floats, Floats]],
) -> Context:
    """Times in their order; the test split has the last days, as many as its share."""
    cut = DAYS - min(max(round(DAYS * test_rows / rows), 1), DAYS - 1) if test_rows else DAYS
    days = [_some_days(rng, 0, cut, rows - test_rows), _some_days(rng, cut, DAYS, test_rows)]
    day = np.concatenate(days)
    hour = rng.choice(24, rows, p=HOURLY / HOURLY.sum())
    second = hour * 3_600 + rng.integers(0, 3_600, rows)
    seconds = np.sort(day.astype(np.int64) * 86_400 + second)
    first = int(START.timestamp())
    columns = {
        TIME: pl.Series((first + seconds) * 1_000).cast(pl.Datetime("ms")),
        "weekday": np.array(WEEKDAYS)[day % 7],
    }
    return Context(pl.DataFrame(columns), day, present)


def _some_days(rng: np.random.Generator, first: int, end: int, rows: int) -> Ints:
    """A day of each row, ascending, by their traffic."""
    if not rows:
        return np.zeros(0, np.int32)
    traffic = TRAFFIC[np.arange(first, end) % 7]
    day = rng.choice(np.arange(first, end, dtype=np.int32), rows, p=traffic / traffic.sum())
    return np.sort(day)


DRIFTING = Layout(SCHEMA, _draw, "position", shop.POSITIONS)
