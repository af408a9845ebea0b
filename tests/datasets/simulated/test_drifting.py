"""Four weeks: order of time, days of the splits, who is there, and what moves."""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import OneHotEncoder

import postclick
from postclick.datasets.simulated import SimulatedLog, simulate
from postclick.datasets.simulated.layouts.drifting import (
    DAYS,
    MAIN,
    MATCH,
    MOVES,
    TIME,
    TRAFFIC,
    WEEKDAYS,
)


@cache
def log() -> SimulatedLog:
    return simulate("drifting", rows=120_000, seed=3)


def days(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(day=pl.col(TIME).dt.date())


def test_shares_of_variance_sum_to_one() -> None:
    assert MAIN + MATCH + sum(MOVES.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.25, 0.5, 0.999])
def test_rows_are_in_the_order_of_time_and_the_test_has_the_last_days(fraction: float) -> None:
    drawn = simulate("drifting", rows=20_000, seed=1, test_fraction=fraction)
    assert drawn.schema.time == TIME
    both = pl.concat([drawn.train, drawn.test])
    assert both[TIME].is_sorted()
    assert both[TIME].null_count() == 0
    tested = min(max(round(DAYS * fraction), 1), DAYS - 1)
    first = drawn.test[TIME].min().replace(hour=0, minute=0, second=0)
    assert drawn.train[TIME].max() < first
    last = days(both)["day"].max()
    assert (last - first.date()).days + 1 <= tested


def test_the_last_week_is_the_test_by_default() -> None:
    assert days(log().train)["day"].n_unique() == 21
    assert days(log().test)["day"].n_unique() == 7
    assert log().test[TIME].dt.weekday().min() == 1


def test_traffic_and_weekdays() -> None:
    both = days(pl.concat([log().train, log().test]))
    names = np.array(WEEKDAYS)[both[TIME].dt.weekday().to_numpy() - 1]
    assert (both["weekday"].to_numpy() == names).all()
    count = both.group_by(pl.col(TIME).dt.weekday().alias("w")).len().sort("w")["len"].to_numpy()
    assert count / count.sum() == pytest.approx(TRAFFIC / TRAFFIC.sum(), abs=0.005)
    hours = both.group_by(pl.col(TIME).dt.hour().alias("h")).len().sort("h")["len"].to_numpy()
    assert hours.max() > 5 * hours.min()


@pytest.mark.parametrize(("side", "least"), [("user", 0.05), ("item", 0.05)])
def test_many_in_the_test_week_are_new_and_many_have_gone(side: str, least: float) -> None:
    drawn = simulate("drifting", rows=120_000, seed=3, users=2_000, items=400)
    seen = [drawn.train[side].implode(), drawn.test[side].implode()]
    assert (~drawn.test[side].is_in(seen[0])).mean() > least
    assert (~drawn.train[side].is_in(seen[1])).mean() > least
    alike = simulate("confounded", rows=120_000, seed=3, users=2_000, items=400)
    assert (~alike.test[side].is_in(alike.train[side].implode())).mean() < 0.01


def test_who_comes_and_goes_has_one_stay() -> None:
    drawn = simulate("drifting", rows=200_000, seed=3, users=100, items=100)
    both = days(pl.concat([drawn.train, drawn.test]))
    for side in ("user", "item"):
        stays = both.group_by(side).agg(
            pl.col("day").n_unique().alias("days"),
            ((pl.col("day").max() - pl.col("day").min()).dt.total_days() + 1).alias("span"),
        )
        # So few that everyone who is there is shown every day.
        assert (stays["days"] == stays["span"]).all()
        assert (stays["days"] == DAYS).mean() > 0.2
        assert (stays["days"] < DAYS).mean() > 0.2


@pytest.mark.parametrize("column", ["true_ctr", "true_cvr"])
def test_a_day_moves_a_pair_by_trend_weekday_and_the_trend_of_its_category(column: str) -> None:
    """At a position, the logit of a user and an item less that of another day is the category's."""
    drawn = simulate("drifting", rows=200_000, seed=5, users=30, items=30)
    both = days(pl.concat([drawn.train, drawn.test])).with_columns(
        logit=pl.Series(logit(pl.concat([drawn.train, drawn.test])[column].to_numpy())),
        number=pl.col(TIME).dt.ordinal_day() - 5,
    )
    keys = ["user", "item", "position"]
    moved = both.with_columns(
        move=pl.col("logit") - pl.col("logit").first().over(keys),
        since=pl.col("number").first().over(keys),
    )
    # Same first day, same day, same category: the same move.
    alike = moved.group_by("since", "number", "category").agg(
        (pl.col("move").max() - pl.col("move").min()).alias("spread"), pl.col("move").first()
    )
    assert alike["spread"].max() < 1e-9
    assert alike["move"].abs().max() > 0.5
    # A week on, the weekday is the same, and the trend has moved by as much as in another week.
    weeks = alike.filter((pl.col("number") - pl.col("since")) == 7)
    spread = weeks.group_by("category").agg(
        (pl.col("move").max() - pl.col("move").min()).alias("s")
    )
    assert spread["s"].max() < 1e-9
    assert weeks["move"].n_unique() > 1


def test_what_was_learnt_last_holds_longest() -> None:
    """A model of the clicks of the week before the test has a better NLL in it than older ones."""
    drawn = simulate("drifting", rows=160_000, seed=2, ctr=0.2)
    week = pl.col(TIME).dt.ordinal_day() - 5
    fields = ["weekday", "category", "age_band", "city", "device", "position"]
    encoder = OneHotEncoder().fit(drawn.train.select(fields).to_numpy())
    test = encoder.transform(drawn.test.select(fields).to_numpy())

    def nll(first: int) -> float:
        part = drawn.train.filter(week.is_between(first, first + 6))
        model = LogisticRegression(max_iter=300)
        model.fit(encoder.transform(part.select(fields).to_numpy()), part["click"].to_numpy())
        return float(log_loss(drawn.test["click"], model.predict_proba(test)[:, 1]))

    found = [nll(first) for first in (0, 7, 14)]
    assert found[2] < found[1] < found[0]


def test_it_is_prepared_by_time(tmp_path: Path) -> None:
    drawn = simulate("drifting", rows=8_000, seed=0, ctr=0.2, cvr=0.2, users=200, items=60)
    splits = postclick.open_splits(drawn.schema, drawn.train, test=drawn.test)
    prepared = postclick.prepare(splits, tmp_path / "data", split_by="time")
    findings = {f["code"]: f for f in prepared.manifest.findings}
    assert "time-overlap" not in findings
    assert "split-by-time" in findings
    assert not [f for f in findings.values() if f["severity"] == "error"]
