"""From a world's users and items to simulated impressions with their true probabilities."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import expit

from postclick.datasets.simulated.population import (
    FACTORS,
    Floats,
    Ints,
    Pairs,
    Population,
    Side,
    standardized,
)
from postclick.datasets.simulated.shift import shifted
from postclick.datasets.simulated.worlds import World

BINS = 8_192


@dataclass(frozen=True)
class Impressions:
    """Simulated rows, with what the columns do not show.

    Attributes:
        frame: features, labels and truth columns, n rows.
        click_score: shape (n,), the features' part of the click logit.
        conversion_logit: shape (n,), the conversion logit without the hidden confounder's part.
        hidden_sd: standard deviation of that part, 0 where nothing is hidden.
    """

    frame: pl.DataFrame
    click_score: Floats
    conversion_logit: Floats
    hidden_sd: float


def draw_impressions(
    world: World,
    dependence: float,
    *,
    seed: int,
    rows: int,
    test_rows: int,
    users: int,
    items: int,
    ctr: float,
    cvr: float,
) -> Impressions:
    """Draw `rows` impressions; the settings are those of `postclick.datasets.simulate`.

    The last `test_rows` are the test split's, which a world may draw from other users and items.

    >>> from postclick.datasets.simulated.worlds import get_world
    >>> drawn = draw_impressions(get_world("hidden"), 0.4, seed=0, rows=5_000, test_rows=0,
    ...                          users=50, items=50, ctr=0.1, cvr=0.2)
    >>> round(drawn.frame["true_ctr"].mean(), 4)
    0.1
    """
    # Streams of their own: more rows or another world leave the users and items as they are.
    population_rng, rng, shift_rng = (np.random.default_rng([seed, k]) for k in range(3))
    layout = world.layout
    population = layout.draw(population_rng, users, items)
    cut = rows - test_rows
    user, item = (
        _pick(rng, side, shifted(shift_rng, side, world.shift) if world.shift else None, rows, cut)
        for side in (population.users, population.items)
    )
    position = rng.integers(1, layout.positions + 1, rows, dtype=np.int8)
    click_dice, conversion_dice = rng.random(rows), rng.random(rows)

    pairs = population.pairs(user, item) if population.pairs is not None else None
    a, b = _signals(population, pairs, user, item)
    if world.hidden:
        confounder = rng.standard_normal(rows)
        seen, unseen = np.sqrt(1 - abs(dependence)), np.sqrt(abs(dependence))
        click_seen, click_unseen = seen * a, unseen * confounder
        conversion_seen = seen * b
        conversion_unseen = np.sign(dependence) * unseen * confounder
        hidden_sd = float(world.logit_sd * unseen)
    else:
        click_seen, click_unseen = a, np.zeros(rows)
        conversion_seen = dependence * a + np.sqrt(1 - dependence**2) * b
        conversion_unseen = np.zeros(rows)
        hidden_sd = 0.0
    click_score = world.logit_sd * click_seen
    click_score += world.position_sd * standardized(-np.log(position.astype(np.float64)))
    conversion_score = world.logit_sd * conversion_seen

    click_logit = click_score + world.logit_sd * click_unseen
    true_ctr = expit(click_logit + _intercept(click_logit, np.ones(rows), ctr))
    conversion_logit = conversion_score + world.logit_sd * conversion_unseen
    intercept = _intercept(conversion_logit, true_ctr, cvr)
    true_cvr = expit(conversion_logit + intercept)
    click, potential = click_dice < true_ctr, conversion_dice < true_cvr
    schema, truth = layout.schema, layout.schema.truth
    outcomes = {
        **({layout.position: position} if layout.position is not None else {}),
        schema.click.column: click.astype(np.int8),
        schema.conversion.column: (click & potential).astype(np.int8),
        str(truth.ctr): true_ctr,
        str(truth.cvr): true_cvr,
        str(truth.conversion): potential.astype(np.int8),
    }
    features = [population.users.attributes[user], population.items.attributes[item]]
    features += [pairs.attributes] if pairs is not None else []
    frame = pl.concat([*features, pl.DataFrame(outcomes)], how="horizontal")
    return Impressions(frame, click_score, conversion_score + intercept, hidden_sd)


def _pick(rng: np.random.Generator, side: Side, test: Floats | None, rows: int, cut: int) -> Ints:
    """Places in a side, by its probabilities, and from row `cut` on by `test` if that is given."""
    dice = rng.random(rows)
    if test is None:
        return _places(side.probability, dice)
    return np.concatenate([_places(side.probability, dice[:cut]), _places(test, dice[cut:])])


def _places(probability: Floats, dice: Floats) -> Ints:
    edges = np.cumsum(probability)[:-1]
    return np.searchsorted(edges, dice, side="right").astype(np.int32)


def _signals(
    population: Population, pairs: Pairs | None, user: Ints, item: Ints
) -> tuple[Floats, Floats]:
    """Signals A and B of every impression: zero mean, unit variance, uncorrelated."""
    users, items = population.users, population.items
    signals = []
    for kind in range(2):
        match = np.zeros(user.size)
        for factor in range(FACTORS):
            # Factor by factor: all at once would hold rows x factors numbers, twice.
            match += users.factors[kind, user, factor] * items.factors[kind, item, factor]
        main = users.effect[kind, user] + items.effect[kind, item]
        if pairs is not None:
            main += pairs.effect[kind]
        signals.append(standardized(main + np.sqrt(population.match) * standardized(match)))
    a, b = signals
    return a, standardized(b - np.mean(a * b) * a)


def _intercept(logit: Floats, weight: Floats, target: float) -> float:
    """What to add to `logit` so that its sigmoid's weighted mean is `target`.

    Found by bisection on a histogram of the logits, each bin at its mean: with bins this narrow
    the error of the mean is below a millionth of the target.
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
    return 0.5 * (below + above)
