"""From users, items and contexts to what of the two logits features show, and what they do not."""

from dataclasses import dataclass

import numpy as np

from postclick.datasets.simulated.causes import CAUSES
from postclick.datasets.simulated.population import (
    FACTORS,
    Floats,
    Ints,
    Pairs,
    Population,
    standardized,
)
from postclick.datasets.simulated.worlds import World


@dataclass(frozen=True)
class Hidden:
    """What a cause that no column shows adds to each impression's logits.

    Attributes:
        click, conversion: shape (n,).
        click_sd: standard deviation of the first.
        conversion_effect: what one standard deviation of the cause adds to the conversion logit.
    """

    click: Floats
    conversion: Floats
    click_sd: float
    conversion_effect: float


def signals(
    population: Population, pairs: Pairs | None, user: Ints, item: Ints, context: Ints | None
) -> tuple[Floats, Floats]:
    """Signals A and B of every impression: zero mean, unit variance, uncorrelated."""
    users, items = population.users, population.items
    crossed = None
    if population.crossed is not None:
        code = context if context is not None else np.zeros_like(user)
        crossed = population.crossed(user, item, code)
    found = []
    for kind in range(2):
        match = np.zeros(user.size)
        for factor in range(FACTORS):
            # Factor by factor: all at once would hold rows x factors numbers, twice.
            match += users.factors[kind, user, factor] * items.factors[kind, item, factor]
        main = users.effect[kind, user] + items.effect[kind, item]
        if pairs is not None:
            main += pairs.effect[kind]
        if crossed is not None:
            main += crossed[kind]
        found.append(standardized(main + np.sqrt(population.match) * standardized(match)))
    a, b = found
    return a, standardized(b - np.mean(a * b) * a)


def seen(world: World, dependence: float, a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """What features show of the click and the conversion logit, in units of `world.logit_sd`."""
    if world.hidden and world.s is None:
        share = np.sqrt(1 - abs(dependence))
        return share * a, share * b
    return a, dependence * a + np.sqrt(1 - dependence**2) * b


def hidden(world: World, dependence: float, rng: np.random.Generator, rows: int) -> Hidden | None:
    """The unseen cause of a world that has one."""
    if not world.hidden:
        return None
    cause = CAUSES[world.hidden_distribution].draw(rng, rows)
    if world.s is not None:
        click_sd = world.hidden_click_sd
        return Hidden(click_sd * cause, world.s * cause, click_sd, world.s)
    share, sign = np.sqrt(abs(dependence)), np.sign(dependence)
    click_sd = float(world.logit_sd * share)
    return Hidden(
        world.logit_sd * (share * cause),
        world.logit_sd * (sign * share * cause),
        click_sd,
        float(sign * click_sd),
    )
