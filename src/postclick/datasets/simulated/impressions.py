"""From a world's users and items to simulated impressions with their true probabilities."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import expit

from postclick.datasets.simulated.intercept import intercept
from postclick.datasets.simulated.population import (
    Context,
    Floats,
    Ints,
    Population,
    Side,
    standardized,
)
from postclick.datasets.simulated.shift import shifted
from postclick.datasets.simulated.signals import Hidden, hidden, seen, signals
from postclick.datasets.simulated.variance import as_shares, variance_of_scores
from postclick.datasets.simulated.worlds import World


@dataclass(frozen=True)
class Impressions:
    """Simulated rows, with what the columns do not show.

    Attributes:
        frame: features, labels and truth columns, n rows.
        click_score: shape (n,), the features' part of the click logit.
        conversion_logit: shape (n,), the conversion logit without the unseen cause's part.
        hidden_effect: what one standard deviation of the cause adds to the conversion logit, 0
            where nothing is hidden.
        variance: shares of the variance of the click and the conversion logit, by what they
            are of; see `postclick.datasets.simulated.variance`. None of a world that does not ask.
    """

    frame: pl.DataFrame
    click_score: Floats
    conversion_logit: Floats
    hidden_effect: float
    variance: dict[str, dict[str, float]] | None = None


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
    population_rng, rng, shift_rng, context_rng, variance_rng = (
        np.random.default_rng([seed, k]) for k in range(5)
    )
    layout = world.layout
    population = layout.draw(population_rng, users, items)
    context = population.context(context_rng, rows, test_rows) if population.context else None
    cut = rows - test_rows
    if context is not None and context.present is not None:
        user, item = (_present(rng, context, side) for side in range(2))
    else:
        user, item = (
            _pick(rng, s, shifted(shift_rng, s, world.shift) if world.shift else None, rows, cut)
            for s in (population.users, population.items)
        )
    position = rng.integers(1, layout.positions + 1, rows, dtype=np.int8)
    click_dice, conversion_dice = rng.random(rows), rng.random(rows)

    pairs = population.pairs(user, item) if population.pairs is not None else None
    code = context.code if context is not None else None
    click_seen, conversion_seen = seen(
        world, dependence, *signals(population, pairs, user, item, code)
    )
    unseen = hidden(world, dependence, rng, rows)
    place = world.position_sd * standardized(-np.log(position.astype(np.float64)))
    click_score = world.logit_sd * click_seen
    click_score += place
    conversion_score = world.logit_sd * conversion_seen

    click_logit = click_score + unseen.click if unseen is not None else click_score
    true_ctr = expit(click_logit + intercept(click_logit, np.ones(rows), ctr))
    conversion_logit = conversion_score
    if unseen is not None:
        conversion_logit = conversion_score + unseen.conversion
    constant = intercept(conversion_logit, true_ctr, cvr)
    true_cvr = expit(conversion_logit + constant)
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
    features += [context.attributes] if context is not None else []
    frame = pl.concat([*features, pl.DataFrame(outcomes)], how="horizontal")
    return Impressions(
        frame,
        click_score,
        conversion_score + constant,
        unseen.conversion_effect if unseen is not None else 0.0,
        _variance(
            world,
            dependence,
            population,
            (user, item, code),
            float(place.var()),
            unseen,
            variance_rng,
        )
        if world.decomposed
        else None,
    )


def _pick(rng: np.random.Generator, side: Side, test: Floats | None, rows: int, cut: int) -> Ints:
    """Places in a side, by its probabilities, and from row `cut` on by `test` if that is given."""
    dice = rng.random(rows)
    if test is None:
        return _places(side.probability, dice)
    return np.concatenate([_places(side.probability, dice[:cut]), _places(test, dice[cut:])])


def _present(rng: np.random.Generator, context: Context, side: int) -> Ints:
    """Places in the users (side 0) or the items (1), by who is there in each context."""
    dice = rng.random(context.code.size)
    places = np.empty(dice.size, np.int32)
    assert context.present is not None
    for code in np.unique(context.code):
        rows = context.code == code
        places[rows] = _places(context.present(int(code))[side], dice[rows])
    return places


def _places(probability: Floats, dice: Floats) -> Ints:
    edges = np.cumsum(probability)[:-1]
    return np.searchsorted(edges, dice, side="right").astype(np.int32)


def _variance(
    world: World,
    dependence: float,
    population: Population,
    places: tuple[Ints, Ints, Ints | None],
    place: float,
    unseen: Hidden | None,
    rng: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """Shares of the variance of both logits; `place` is what the position has of the first."""

    def scores(user: Ints, item: Ints, code: Ints) -> tuple[Floats, Floats]:
        pairs = population.pairs(user, item) if population.pairs is not None else None
        return seen(world, dependence, *signals(population, pairs, user, item, code))

    user, item, code = places
    of_features = variance_of_scores(
        rng, scores, user, item, code if code is not None else np.zeros_like(user)
    )
    causes = (unseen.click_sd, unseen.conversion_effect) if unseen is not None else (0.0, 0.0)
    found = {}
    for name, parts, position, cause in (
        ("click", of_features[0], place, causes[0]),
        ("conversion", of_features[1], 0.0, causes[1]),
    ):
        of_sum = {part: world.logit_sd**2 * value for part, value in parts.items()}
        rest = of_sum.pop("interactions")
        own = {"position": position, "interactions": rest, "hidden": cause**2}
        found[name] = as_shares(of_sum | own)
    return found
