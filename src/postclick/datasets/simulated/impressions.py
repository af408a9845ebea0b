"""From a world's users and items to simulated impressions with their true probabilities."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import expit

from postclick.datasets.simulated.worlds import (
    FACTORS,
    POSITIONS,
    SHARES,
    Floats,
    Ints,
    Side,
    World,
    draw_items,
    draw_users,
    standardized,
)

POSITION_SD = 0.4
BINS = 8_192


@dataclass(frozen=True)
class Impressions:
    """Simulated rows, with what the columns do not show.

    Attributes:
        frame: features, labels and truth columns, n rows.
        click_score, conversion_score: shape (n,), the rankings by the features' part of either
            logit, the best that a model of the features can give.
    """

    frame: pl.DataFrame
    click_score: Floats
    conversion_score: Floats


def draw_impressions(
    world: World,
    dependence: float,
    *,
    seed: int,
    rows: int,
    users: int,
    items: int,
    ctr: float,
    cvr: float,
) -> Impressions:
    """Draw `rows` impressions; the settings are those of `postclick.datasets.simulate`.

    >>> from postclick.datasets.simulated.worlds import get_world
    >>> drawn = draw_impressions(
    ...     get_world("hidden"), 0.4, seed=0, rows=5_000, users=50, items=50, ctr=0.1, cvr=0.2)
    >>> round(drawn.frame["true_ctr"].mean(), 4)
    0.1
    """
    # Two streams: more rows or another world leave the users and items as they are.
    population, rng = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1])
    user_side, item_side = draw_users(population, users), draw_items(population, items)
    user, item = (_pick(rng, side.probability, rows) for side in (user_side, item_side))
    position = rng.integers(1, POSITIONS + 1, rows, dtype=np.int8)
    click_dice, conversion_dice = rng.random(rows), rng.random(rows)

    a, b = _signals(user_side, item_side, user, item)
    if world.hidden:
        confounder = rng.standard_normal(rows)
        seen, unseen = np.sqrt(1 - abs(dependence)), np.sqrt(abs(dependence))
        click_seen, click_unseen = seen * a, unseen * confounder
        conversion_seen = seen * b
        conversion_unseen = np.sign(dependence) * unseen * confounder
    else:
        click_seen, click_unseen = a, np.zeros(rows)
        conversion_seen = dependence * a + np.sqrt(1 - dependence**2) * b
        conversion_unseen = np.zeros(rows)
    click_score = world.logit_sd * click_seen
    click_score += POSITION_SD * standardized(-np.log(position.astype(np.float64)))
    conversion_score = world.logit_sd * conversion_seen

    true_ctr = _probability(click_score + world.logit_sd * click_unseen, np.ones(rows), ctr)
    true_cvr = _probability(conversion_score + world.logit_sd * conversion_unseen, true_ctr, cvr)
    click, potential = click_dice < true_ctr, conversion_dice < true_cvr
    outcomes = {
        "position": position,
        "click": click.astype(np.int8),
        "conversion": (click & potential).astype(np.int8),
        "true_ctr": true_ctr,
        "true_cvr": true_cvr,
        "potential_conversion": potential.astype(np.int8),
    }
    frame = pl.concat(
        [user_side.attributes[user], item_side.attributes[item], pl.DataFrame(outcomes)],
        how="horizontal",
    )
    return Impressions(frame, click_score, conversion_score)


def _pick(rng: np.random.Generator, probability: Floats, rows: int) -> Ints:
    edges = np.cumsum(probability)[:-1]
    return np.searchsorted(edges, rng.random(rows), side="right").astype(np.int32)


def _signals(users: Side, items: Side, user: Ints, item: Ints) -> tuple[Floats, Floats]:
    """Signals A and B of every impression: zero mean, unit variance, uncorrelated."""
    signals = []
    for kind in range(2):
        match = np.zeros(user.size)
        for factor in range(FACTORS):
            # Factor by factor: all at once would hold rows x factors numbers, twice.
            match += users.factors[kind, user, factor] * items.factors[kind, item, factor]
        main = users.effect[kind, user] + items.effect[kind, item]
        signals.append(standardized(main + np.sqrt(SHARES["match"]) * standardized(match)))
    a, b = signals
    return a, standardized(b - np.mean(a * b) * a)


def _probability(logit: Floats, weight: Floats, target: float) -> Floats:
    """Sigmoid of `logit` plus the intercept that makes its weighted mean `target`.

    The intercept is found by bisection on a histogram of the logits, each bin at its mean: with
    bins this narrow the error is below a millionth of the target.
    """
    low = float(logit.min())
    scale = (BINS - 1) / max(float(logit.max()) - low, 1e-9)
    place = ((logit - low) * scale).astype(np.intp)
    mass = np.bincount(place, weights=weight, minlength=BINS)
    total = np.bincount(place, weights=weight * logit, minlength=BINS)
    used = mass > 0
    mass, centre = mass[used], total[used] / mass[used]
    below, above = -100.0, 100.0
    for _ in range(60):
        middle = 0.5 * (below + above)
        if np.average(expit(centre + middle), weights=mass) < target:
            below = middle
        else:
            above = middle
    probability: Floats = expit(logit + 0.5 * (below + above))
    return probability
