"""Which rows an arm learns from, against counting by hand, and that its log is else the same."""

import numpy as np
import polars as pl
import pytest

from postclick.datasets.simulated import SimulatedLog, simulate
from postclick.experiments.ceiling.arms import ARMS, Outcomes, arm_log, chosen
from postclick.experiments.ceiling.train_arm import VALID_FRACTION, arm_splits


def by_hand(arm: str, click: list[bool], conversion: list[bool], order: list[int]) -> set[int]:
    """The rows of an arm, taken one after the other."""
    if arm == "clicked":
        return {row for row, clicked in enumerate(click) if clicked}
    left = {
        "random_rows": sum(click),
        "random_conversions": sum(c and v for c, v in zip(click, conversion, strict=True)),
        "all": len(click),
    }[arm]
    taken = set()
    for row in order[:-1]:
        cost = conversion[row] if arm == "random_conversions" else True
        if cost > left:
            break
        left -= cost
        taken.add(row)
    return taken


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("seed", range(20))
def test_rows_are_those_that_counting_finds(arm: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    click, conversion = rng.random(n) < rng.random(), rng.random(n) < rng.random()
    order = rng.permutation(n)
    found = chosen(arm, Outcomes(click, conversion), order)
    expected = by_hand(arm, click.tolist(), conversion.tolist(), order.tolist())
    assert set(found.nonzero()[0].tolist()) == expected


def test_as_many_conversions_leave_the_rate_as_it_is() -> None:
    """Were the last row always a conversion, the rate would be r / (r - 1) = 1.25 times as high."""
    rng, n, rate, wanted = np.random.default_rng(0), 2_000, 0.1, 5
    rates = []
    for _ in range(2_000):
        conversion = rng.random(n) < rate
        click = np.zeros(n, bool)
        click[conversion.nonzero()[0][:wanted]] = True
        taken = chosen("random_conversions", Outcomes(click, conversion), np.arange(n))
        assert conversion[taken].sum() == wanted
        rates.append(wanted / taken.sum())
    error = np.std(rates) / np.sqrt(len(rates))
    assert abs(np.mean(rates) - rate) < 4 * error
    assert 4 * error < 0.1 * rate


@pytest.fixture(scope="module", params=["confounded", "hidden", "selection_iv", "aliexpress_like"])
def log(request: pytest.FixtureRequest) -> SimulatedLog:
    return simulate(request.param, rows=4_000, ctr=0.2, cvr=0.2, seed=3)


@pytest.mark.parametrize("arm", ARMS)
def test_an_arms_log_is_else_the_same(log: SimulatedLog, arm: str) -> None:
    schema = log.schema
    click, conversion = schema.click.column, schema.conversion.column
    made = arm_log(arm, log.train, schema, np.random.default_rng(0))
    assert made.columns == log.train.columns
    assert made.drop(click, conversion).equals(log.train.drop(click, conversion))
    potential = made[str(schema.truth.conversion)]
    assert (made[conversion] == made[click] * potential).all()
    if arm == "clicked":
        assert made.equals(log.train)
    if arm == "random_rows":
        assert made[click].sum() == log.train[click].sum()
    if arm == "random_conversions":
        assert made[conversion].sum() == log.train[conversion].sum()
    if arm == "all":
        assert made[click].sum() == log.train.height - 1


def test_splits_are_the_same_rows_for_every_arm(log: SimulatedLog) -> None:
    labels = [log.schema.click.column, log.schema.conversion.column]
    splits = {arm: arm_splits(log, arm, 5) for arm in ARMS}

    def rows(arm: str, split: str) -> pl.DataFrame:
        return pl.concat(splits[arm].sources()[split].frames(log.train.columns))

    for split in ("train", "valid", "test"):
        first = rows("clicked", split)
        for arm in ARMS:
            assert rows(arm, split).drop(labels).equals(first.drop(labels))
    assert rows("all", "test").equals(log.test)
    assert rows("all", "valid").height == round(VALID_FRACTION * log.train.height)
    together = pl.concat([rows("clicked", "train"), rows("clicked", "valid")])
    assert together.sort(together.columns).equals(log.train.sort(log.train.columns))
