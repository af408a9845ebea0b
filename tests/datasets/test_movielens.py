"""The MovieLens reader: its formats, the protocol's formulas, and refusals."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from postclick import prepare
from postclick.data.splits import LogSplits
from postclick.datasets.movielens import MOVIELENS
from postclick.datasets.movielens.completion import RIDGE, RIDGE_PER_RATING, complete
from postclick.datasets.movielens.files import read_published
from postclick.datasets.simulated.oracle import oracle_figures
from postclick.errors import InputError
from postclick.metrics.auc import auc

from .movielens_files import Toy, both, toy, whole, write_recbole

CVR_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
MANY = {"ctr": 0.15}


@pytest.fixture(scope="module")
def data() -> Toy:
    return toy()


@pytest.fixture
def small(tmp_path: Path, data: Toy) -> Path:
    return write_recbole(tmp_path / "ml-100k", data)


@pytest.fixture(scope="module")
def published() -> str:
    named = os.environ.get("POSTCLICK_MOVIELENS")
    if named:
        return named
    try:
        MOVIELENS.named["recbole"]()
    except InputError as error:
        pytest.skip(f"no MovieLens-100K: POSTCLICK_MOVIELENS is not set, and {error}")
    return "recbole"


def levels(frame: pl.DataFrame) -> np.ndarray:
    level = 1 + np.searchsorted(CVR_LEVELS, frame["true_cvr"].to_numpy())
    assert set(level) <= {1, 2, 3, 4, 5}
    return level


def held_out_rmse(source: Path, rank: int) -> float:
    """RMSE of the completion on a random tenth of the ratings that it does not see."""
    read = read_published(source)
    hidden = np.random.default_rng(1).random(read.rating.size) < 0.1
    known = (values[~hidden] for values in (read.user, read.item, read.rating))
    shape = read.users.height, read.items.height
    full = complete(*known, shape, np.random.default_rng(0), rank=rank)
    error = full[read.user[hidden], read.item[hidden]] - read.rating[hidden]
    return float(np.sqrt(np.mean(error**2)))


def assert_protocol(splits: LogSplits, ctr: float, alpha: float) -> None:
    """Shares of the levels, propensities and funnel are what the protocol says."""
    log = both(splits)
    level = levels(log)
    for number, share in enumerate((0.526, 0.242, 0.144, 0.062, 0.026), start=1):
        assert abs(np.count_nonzero(level == number) - share * log.height) <= 1
    true_ctr = log["true_ctr"].to_numpy()
    expected = true_ctr.max() * np.array([alpha**3, alpha**2, alpha, 1, 1])[level - 1]
    np.testing.assert_allclose(true_ctr, expected, rtol=1e-12)
    assert true_ctr.mean() == pytest.approx(ctr, rel=1e-9)
    noise = 5 * np.sqrt(ctr / log.height)
    assert log["click"].mean() == pytest.approx(ctr, abs=noise)
    clicked, unclicked = log.filter(pl.col("click") == 1), log.filter(pl.col("click") == 0)
    assert (clicked["conversion"] == clicked["potential_conversion"]).all()
    assert unclicked["conversion"].sum() == 0
    assert clicked["true_cvr"].mean() > unclicked["true_cvr"].mean() + 0.1
    spread = 5 * np.sqrt(0.25 / clicked.height)
    oracle = oracle_figures(*(log[c].to_numpy() for c in ("true_ctr", "true_cvr") * 2))
    assert clicked["conversion"].mean() == pytest.approx(oracle["cvr_clicked"], abs=spread)
    reached = auc(log["true_cvr"].to_numpy(), log["potential_conversion"].to_numpy())
    assert reached == pytest.approx(oracle["cvr_auc_entire"], abs=5 / np.sqrt(log.height))
    assert oracle["cvr_auc_entire"] > 0.75


@pytest.mark.parametrize("alpha", [0.5, 0.3])
def test_protocol(small: Path, data: Toy, alpha: float) -> None:
    splits = MOVIELENS.load(small, {"alpha": alpha, **MANY})
    assert both(splits).height == data.users * data.items
    assert_protocol(splits, ctr=0.15, alpha=alpha)


def test_levels_follow_the_completed_ratings(small: Path) -> None:
    read = read_published(small)
    shape = read.users.height, read.items.height
    start = np.random.default_rng([5, 0])
    predicted = complete(read.user, read.item, read.rating, shape, start).ravel()
    level = levels(both(MOVIELENS.load(small, {"seed": 5})))
    for low in range(1, 5):
        assert predicted[level == low].max() <= predicted[level == low + 1].min()
    # Pairs that were rated high end up high.
    place = read.user * shape[1] + read.item
    means = [level[place[read.rating == rating]].mean() for rating in (1, 3, 5)]
    assert means == sorted(means) and means[2] - means[0] > 1


def test_completion_beats_biases_on_held_out_ratings(small: Path) -> None:
    assert held_out_rmse(small, rank=8) < 0.8 * held_out_rmse(small, rank=0)


def test_biases_minimise_the_regularised_squared_error(small: Path) -> None:
    read = read_published(small)
    users, items = read.users.height, read.items.height
    n = np.arange(read.rating.size)
    design = np.zeros((n.size, users + items))
    design[n, read.user] = design[n, users + read.item] = 1.0
    mean = read.rating.mean()
    penalty = np.diag(RIDGE + RIDGE_PER_RATING * design.sum(axis=0))
    bias = np.linalg.solve(design.T @ design + penalty, design.T @ (read.rating - mean))
    rng = np.random.default_rng(0)
    full = complete(read.user, read.item, read.rating, (users, items), rng, rank=0)
    np.testing.assert_allclose(full, mean + bias[:users, None] + bias[None, users:], rtol=1e-6)


def test_completion_without_a_rating_is_the_mean_and_the_other_bias() -> None:
    user, item = np.array([0, 0, 1]), np.array([0, 1, 0])
    full = complete(user, item, np.array([5.0, 1, 3]), (3, 3), np.random.default_rng(0))
    assert full[2, 2] == pytest.approx(3.0)
    assert np.isfinite(full).all()


def test_no_selection_and_other_levels(small: Path) -> None:
    options = {"alpha": 1, "ctr": 0.3, "cvr_levels": [0.9, 0.7, 0.5, 0.3, 0.1]}
    log = both(MOVIELENS.load(small, {**options, "proportions": [0.2, 0.2, 0.2, 0.2, 0.2]}))
    assert log["true_ctr"].unique().to_list() == [0.3]
    assert set(Counter(log["true_cvr"]).values()) == {600}


def test_same_seed_same_log(small: Path) -> None:
    first, again = MOVIELENS.load(small, {"seed": 3}), MOVIELENS.load(small, {"seed": 3})
    for split in ("train", "test"):
        assert_frame_equal(whole(getattr(first, split)), whole(getattr(again, split)))
    other = MOVIELENS.load(small, {"seed": 4})
    assert not both(first)["click"].equals(both(other)["click"])
    # The click rate changes who clicks, not what they are like nor where they stand.
    busy = MOVIELENS.load(small, {"seed": 3, **MANY})
    kept = ["user", "item", "true_cvr", "potential_conversion"]
    assert_frame_equal(whole(first.test).select(kept), whole(busy.test).select(kept))


def test_split_is_a_partition(small: Path, data: Toy) -> None:
    splits = MOVIELENS.load(small, {"test_fraction": 0.1})
    assert whole(splits.test).height == 300
    pairs = both(splits).select("user", "item")
    assert pairs.height == 3_000 and pairs.is_unique().all()
    assert sorted(set(pairs["user"])) == data.user_ids()


def test_most_active_are_taken(small: Path, data: Toy) -> None:
    splits = MOVIELENS.load(small, {"users": 25, "items": 20, "ctr": 0.2})
    log = both(splits)
    assert log.height == 500
    for column, place, count in (("user", 0, 25), ("item", 1, 20)):
        ratings = Counter(triple[place] for triple in data.triples)
        ranked = sorted(ratings, key=lambda number: (-ratings[number], number))
        assert set(log[column]) == set(ranked[:count])
    assert_protocol(splits, ctr=0.2, alpha=0.5)
    assert "25 users x 20 movies" in splits.notes[0]


def test_prepared(small: Path, tmp_path: Path) -> None:
    log = prepare(MOVIELENS.load(small, MANY), tmp_path / "data")
    # user, item, age_band, gender, occupation, release_year: each value, and row 0.
    assert log.inputs.field_sizes == (61, 51, 5, 3, 5, 3)
    assert log.inputs.bag_sizes == (10,)
    assert set(log.split("test").truth) == {"true_ctr", "true_cvr", "potential_conversion"}
    assert any("need permission of GroupLens" in note for note in log.manifest.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"proportions": [0.5, 0.5]}, "proportions: .*at least 5 items"),
        ({"proportions": [0.5, 0.2, 0.1, 0.1, 0]}, "proportions: add up to 0.9: give 5 shares"),
        ({"proportions": [1.2, -0.2, 0, 0, 0]}, "proportions.0: .*less than or equal to 1"),
        ({"cvr_levels": [0, 0.3, 0.5, 0.7, 0.9]}, "cvr_levels.0: .*greater than 0"),
        ({"alpha": 0}, "alpha: .*greater than 0"),
        ({"alpha": float("nan")}, "alpha"),
        ({"ctr": 0.5}, "ctr can be 0.286 at most, found 0.5: lower ctr or raise alpha"),
        ({"test_fraction": 1}, "test_fraction: .*0.99"),
        ({"users": 3}, "users: .*20"),
        ({"users": 61}, "users=61, but there are 60: lower it or leave it out"),
        ({"items": 51}, "items=51, but there are 50"),
        ({"seed": -1}, "seed"),
        ({"threshold": 3}, "threshold: is not a known setting"),
    ],
)
def test_wrong_options(small: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        MOVIELENS.load(small, options)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_published_file(published: str) -> None:
    splits = MOVIELENS.load(published)
    train, test = whole(splits.train), whole(splits.test)
    assert (train.height, test.height) == (1_189_594, 396_532)
    assert_protocol(splits, ctr=0.05, alpha=0.5)
    # Expected from the proportions alone.
    log = both(splits)
    assert log["true_cvr"].mean() == pytest.approx(0.264, abs=1e-4)
    clicked = log.filter(pl.col("click") == 1)
    assert clicked["conversion"].mean() == pytest.approx(0.4455, abs=0.01)
    assert log["genres"].explode().n_unique() == 19
    assert log["occupation"].n_unique() == 21


@pytest.mark.slow
def test_published_completion(published: str) -> None:
    named = MOVIELENS.named.get(published)
    source = named() if named else Path(published)
    full, biases = held_out_rmse(source, rank=8), held_out_rmse(source, rank=0)
    assert full < 0.92 < 0.93 < biases < 0.96
