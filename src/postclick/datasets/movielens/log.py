"""MovieLens-100K as a semi-synthetic log: completed real ratings, drawn clicks and conversions."""

from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from postclick.data.read.log_source import FrameSource
from postclick.data.schema import Categorical, Label, LogSchema, MultiCategorical, Truth
from postclick.data.splits import LogSplits
from postclick.datasets.base import DataSet, Options
from postclick.datasets.movielens.completion import Ints, complete
from postclick.datasets.movielens.files import EXPECTS, installed_recbole, read_published
from postclick.datasets.movielens.protocol import LEVELS, propensities, rating_levels
from postclick.errors import InputError

FEWEST = 20

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Probability = Annotated[float, Field(gt=0.0, lt=1.0)]

SCHEMA = LogSchema(
    click=Label(column="click"),
    conversion=Label(column="conversion"),
    categorical=tuple(
        Categorical(name=name)
        for name in ("user", "item", "age_band", "gender", "occupation", "release_year")
    ),
    multi=(MultiCategorical(name="genres"),),
    truth=Truth(ctr="true_ctr", cvr="true_cvr", conversion="potential_conversion"),
)


class MovieLensOptions(Options):
    """Options of the MovieLens reader.

    Attributes:
        proportions: share of each rating level, 1 to 5, among all pairs. By default those
            commonly used: how randomly drawn songs were rated in Yahoo! R3, rounded by Guo et
            al. (2021) to 0.53, 0.24, 0.14, 0.06 and 0.03.
        cvr_levels: true CVR at each rating level.
        alpha: how steeply the click probability falls with the level; 1 for no selection.
        ctr: mean click probability.
        users, items: take only so many, those with the most ratings; all of them if left out.
        test_fraction: share of the pairs in the test split.
        seed: the same seed gives the same log.

    >>> MovieLensOptions(alpha=0.25).cvr_levels
    (0.1, 0.3, 0.5, 0.7, 0.9)
    """

    proportions: tuple[Share, ...] = Field(
        default=(0.526, 0.242, 0.144, 0.062, 0.026), min_length=LEVELS, max_length=LEVELS
    )
    cvr_levels: tuple[Probability, ...] = Field(
        default=(0.1, 0.3, 0.5, 0.7, 0.9), min_length=LEVELS, max_length=LEVELS
    )
    alpha: float = Field(default=0.5, gt=0.0, le=1.0)
    ctr: float = Field(default=0.05, gt=0.0, lt=1.0)
    users: int | None = Field(default=None, ge=FEWEST)
    items: int | None = Field(default=None, ge=FEWEST)
    test_fraction: float = Field(default=0.25, ge=0.01, le=0.99)
    seed: int = Field(default=0, ge=0)

    @field_validator("proportions")
    @classmethod
    def _add_up(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if abs(sum(value) - 1.0) > 1e-6:
            raise ValueError(f"add up to {sum(value):.6g}: give {LEVELS} shares that add up to 1")
        return value


def read_movielens(source: Path, options: MovieLensOptions) -> LogSplits:
    """Open MovieLens-100K as a log: impression = a user with a movie, everything else is drawn.

    1. The ratings are completed by matrix factorization (`completion.complete`).
    2. All pairs are sorted by completed rating, and get rating levels 1 to 5 from the lowest up
       in the shares `proportions`: people rate what they like, so that known ratings, and their
       completion with them, are too high to stand for all pairs.
    3. `true_ctr = p0 * alpha ** max(0, 4 - level)`, p0 such that its mean is `ctr`;
       `true_cvr = cvr_levels[level]`.
    4. Click and potential conversion are independent draws from the two, and
       conversion = click x potential conversion.

    With users or items left out, levels and p0 are fitted to the pairs that remain; the
    completion still uses all ratings. Train and test are disjoint random sets of pairs.

    Args:
        source: a folder or a zip, see `files.EXPECTS`.

    Raises:
        InputError: a file is missing or damaged, or an option asks for what there is not.

    Source: Schnabel et al., "Recommendations as Treatments: Debiasing Learning and Evaluation",
    ICML 2016 (completion, levels, propensity), taken up by Wang et al., "Doubly Robust Joint
    Learning for Recommendation on Data Missing Not at Random", ICML 2019; levels as CVR: Guo et
    al., "Enhanced Doubly Robust Learning for Debiasing Post-Click Conversion Rate Estimation",
    SIGIR 2021. Guo et al. themselves draw clicks with `alpha ** min(4, 6 - level)`, no `ctr`
    given: that tells levels 4 and 5 apart, and 1 and 2 not.
    """
    published = read_published(source)
    shape = published.users.height, published.items.height
    # Streams of their own: other options leave the completion as it is.
    start, draw, split = (np.random.default_rng([options.seed, k]) for k in range(3))
    completed = complete(published.user, published.item, published.rating, shape, start)
    users = _most_active(published.user, shape[0], options.users, "users")
    items = _most_active(published.item, shape[1], options.items, "items")
    level = rating_levels(completed[np.ix_(users, items)].ravel(), options.proportions)
    true_ctr, p0 = propensities(level, options.alpha, options.ctr)
    true_cvr = np.array(options.cvr_levels)[level - 1]
    click = draw.random(level.size) < true_ctr
    potential = draw.random(level.size) < true_cvr
    drawn = pl.DataFrame(
        {
            "click": click.astype(np.int8),
            "conversion": (click & potential).astype(np.int8),
            "true_ctr": true_ctr,
            "true_cvr": true_cvr,
            "potential_conversion": potential.astype(np.int8),
        }
    )
    user, item = np.repeat(users, items.size), np.tile(items, users.size)
    in_test = np.zeros(level.size, dtype=np.bool_)
    in_test[split.permutation(level.size)[: round(level.size * options.test_fraction)]] = True

    def rows(chosen: Ints, name: str) -> FrameSource:
        features = [published.users[user[chosen]], published.items[item[chosen]]]
        frame = pl.concat([*features, drawn[chosen]], how="horizontal")
        return FrameSource(frame, name=f"{source} ({name})")

    levels = ", ".join(f"{cvr:g}" for cvr in options.cvr_levels)
    shares = ", ".join(f"{share:g}" for share in options.proportions)
    return LogSplits(
        schema=SCHEMA,
        train=rows(np.flatnonzero(~in_test), "train"),
        test=rows(np.flatnonzero(in_test), "test"),
        notes=(
            f"semi-synthetic: {users.size} users x {items.size} movies of MovieLens-100K, ratings "
            "completed by matrix factorization; clicks and conversions are drawn, not observed",
            f"levels 1 to 5 in proportions {shares}; true CVR {levels}; "
            f"true CTR {p0:.5f} x {options.alpha:g}^max(0, 4 - level); seed {options.seed}",
            "MovieLens-100K (GroupLens; Harper and Konstan 2015) is for research: redistribution "
            "and commercial use, of data prepared from it too, need permission of GroupLens",
        ),
    )


def _most_active(rated: Ints, count: int, wanted: int | None, what: str) -> Ints:
    """The `wanted` with the most ratings, in the order of their ids; ties go to the lower id."""
    if wanted is None:
        return np.arange(count)
    if wanted > count:
        raise InputError(
            f"data set movielens: {what}={wanted}, but there are {count}: lower it or leave it out"
        )
    ratings = np.bincount(rated, minlength=count)
    return np.sort(np.argsort(-ratings, kind="stable")[:wanted])


MOVIELENS = DataSet(
    name="movielens",
    summary="MovieLens-100K, semi-synthetic: completed real ratings, true CTR and CVR of all pairs",
    expects=EXPECTS,
    options=MovieLensOptions,
    read=read_movielens,
    named={"recbole": installed_recbole},
)
