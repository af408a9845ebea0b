"""An unseen cause with an exposure: what the logits are, and that the exposure identifies it."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from scipy.stats import skew

import postclick
from postclick.datasets.simulated import SimulatedLog, get_world, simulate
from postclick.datasets.simulated.impressions import Impressions, draw_impressions
from postclick.datasets.simulated.oracle import expected_cvr

ROWS = 60_000


@cache
def crowded(world: str = "selection_iv", **options: Any) -> SimulatedLog:
    return simulate(world, rows=ROWS, seed=4, users=20, items=20, options=options)


def logits(log: SimulatedLog) -> pl.DataFrame:
    """Both true logits less their means of alike impressions, of those with many alike."""
    frame = pl.concat([log.train, log.test])
    cells = ["user", "item", "position"]
    found = frame.select(
        *cells,
        *(pl.Series(name, logit(frame[f"true_{name}"].to_numpy())) for name in ("ctr", "cvr")),
    )
    centred = found.with_columns(
        (pl.col(name) - pl.col(name).mean().over(cells)).alias(name) for name in ("ctr", "cvr")
    )
    return centred.filter(pl.len().over(cells) >= 10)


@pytest.mark.parametrize("s", [-0.7, 0.0, 1.0, 1.5])
def test_the_cause_adds_u_to_clicks_and_s_u_to_conversions(s: float) -> None:
    found = logits(crowded(s=s))
    assert found.height > 50_000
    assert (found["cvr"] - s * found["ctr"]).abs().max() < 1e-9
    # A mean of ten takes a tenth of the variance.
    assert found["ctr"].std() == pytest.approx(1.0, abs=0.05)


def test_s_is_1_and_the_click_side_1_by_default() -> None:
    log = crowded()
    found = logits(log)
    assert (found["cvr"] - found["ctr"]).abs().max() < 1e-9
    assert log.settings.keys().isdisjoint({"s", "hidden_click_sd", "position_sd"})
    own = get_world("selection_iv")
    assert (own.s, own.hidden_click_sd) == (1.0, 1.0)


def test_the_click_side_can_be_stronger_and_none() -> None:
    found = logits(crowded(hidden_click_sd=2.0))
    assert (2 * found["cvr"] - found["ctr"]).abs().max() < 1e-9
    log = crowded(hidden_click_sd=0.0)
    assert logits(log)["ctr"].abs().max() < 1e-9
    assert logits(log)["cvr"].std() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("world", ["selection_iv", "hidden"])
def test_the_distribution_of_the_cause(world: str) -> None:
    scale = 1.0 if world == "selection_iv" else 1.68 * np.sqrt(0.4)
    of = {
        name: logits(crowded(world, hidden_distribution=name))["ctr"].to_numpy() / scale
        for name in ("normal", "two_point", "skewed")
    }
    assert all(u.std() == pytest.approx(1.0, abs=0.05) for u in of.values())
    # Less the mean of a cell, two points are two clusters.
    assert (np.abs(np.abs(of["two_point"]) - 1) < 0.75).mean() > 0.99
    assert (np.abs(np.abs(of["normal"]) - 1) < 0.75).mean() < 0.8
    assert abs(skew(of["normal"])) < 0.1
    assert skew(of["skewed"]) > 1.0


def test_position_moves_clicks_alone_and_as_strongly_as_it_is_told() -> None:
    for world in ("selection_iv", "hidden", "confounded"):
        ratios = []
        for sd in (0.0, 0.4, 1.5):
            log = crowded(world, position_sd=sd)
            means = (
                pl.concat([log.train, log.test])
                .group_by("position")
                .agg(pl.col("true_ctr", "true_cvr").mean())
                .sort("position")
            )
            ratios.append(means["true_ctr"][0] / means["true_ctr"][-1])
            assert means["true_cvr"].max() / means["true_cvr"].min() < 1.25
        assert ratios[0] == pytest.approx(1.0, abs=0.15)
        assert 1.5 < ratios[1] < 6 < 20 < ratios[2]


def test_the_position_is_the_exposure_and_no_feature() -> None:
    schema = crowded().schema
    assert schema.exposure is not None
    assert schema.exposure.column == "position"
    assert "position" not in schema.feature_names
    as_feature = crowded(exposure=False)
    assert "position" in as_feature.schema.feature_names
    assert as_feature.schema == simulate("hidden", rows=1_000).schema
    assert as_feature.train.equals(crowded().train)
    with_exposure = crowded("hidden", exposure=True)
    assert with_exposure.schema == schema
    assert with_exposure.train.equals(crowded("hidden").train)


def drawn(distribution: str) -> Impressions:
    world = get_world("selection_iv").configured({"hidden_distribution": distribution})
    return draw_impressions(
        world, 0.0, seed=2, rows=150_000, test_rows=0, users=2_000, items=400, ctr=0.3, cvr=0.2
    )


@pytest.mark.parametrize("distribution", ["normal", "two_point", "skewed"])
def test_the_cvr_of_the_features_is_right_over_all_and_not_over_the_clicked(
    distribution: str,
) -> None:
    """So the mean of `true_cvr` over all impressions is what a model of the features must give."""
    found = drawn(distribution)
    of_features = expected_cvr(found.conversion_logit, found.hidden_effect, distribution)
    frame = found.frame.with_columns(seen=pl.Series(of_features)).sort("seen")
    for tenth in frame.iter_slices(15_000):
        assert tenth["seen"].mean() == pytest.approx(tenth["true_cvr"].mean(), rel=0.06)
    clicked = frame.filter(pl.col("click") == 1)
    assert clicked["true_cvr"].mean() > 1.25 * clicked["seen"].mean()
    unclicked = frame.filter(pl.col("click") == 0)
    assert unclicked["true_cvr"].mean() < 0.95 * unclicked["seen"].mean()


@pytest.mark.parametrize("distribution", ["normal", "skewed"])
def test_the_cvr_of_the_features_where_the_cause_acts_in_opposite_directions(
    distribution: str,
) -> None:
    world = get_world("hidden").configured({"hidden_distribution": distribution})
    found = draw_impressions(
        world, -0.4, seed=2, rows=100_000, test_rows=0, users=500, items=200, ctr=0.3, cvr=0.2
    )
    assert found.hidden_effect < 0
    of_features = expected_cvr(found.conversion_logit, found.hidden_effect, distribution)
    frame = found.frame.with_columns(seen=pl.Series(of_features)).sort("seen")
    for tenth in frame.iter_slices(10_000):
        assert tenth["seen"].mean() == pytest.approx(tenth["true_cvr"].mean(), rel=0.06)
    clicked = frame.filter(pl.col("click") == 1)
    assert clicked["true_cvr"].mean() < 0.8 * clicked["seen"].mean()


def test_the_likelihood_of_labels_finds_s() -> None:
    """By the selection model's likelihood, of clicks and conversions alone, at known features."""
    found = drawn("normal")
    frame = found.frame
    click, conversion = (frame[name].to_numpy() == 1 for name in ("click", "conversion"))
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    weights = weights / weights.sum()
    constant = minimize_scalar(
        lambda k: (expected_cvr(found.click_score + k, 1.0).mean() - 0.3) ** 2,
        bounds=(-8, 8),
        method="bounded",
    ).x
    chosen = np.random.default_rng(0).permutation(frame.height)[:40_000]
    a, b = found.click_score[chosen] + constant, found.conversion_logit[chosen]
    c, v = click[chosen], conversion[chosen]

    def loss(s: float, shift: float) -> float:
        total = np.zeros(a.size)
        for u, w in zip(nodes, weights, strict=True):
            p, r = expit(a + u), expit(b + shift + s * u)
            total += w * np.where(c, p * np.where(v, r, 1 - r), 1 - p)
        return float(-np.log(total).sum())

    profile = {
        s: minimize_scalar(
            lambda shift, s=s: loss(s, shift), bounds=(-2, 2), method="bounded",
            options={"xatol": 0.01},
        ).fun
        for s in (0.0, 0.5, 1.0, 1.5)
    }  # fmt: skip
    assert min(profile, key=profile.__getitem__) == 1.0
    assert profile[0.0] - profile[1.0] > 4


def test_it_is_prepared_and_trained_with_its_exposure(tmp_path: Path) -> None:
    log = simulate("selection_iv", rows=6_000, seed=0, ctr=0.3, cvr=0.3, users=150, items=60)
    data = postclick.prepare(
        postclick.open_splits(log.schema, log.train, test=log.test), tmp_path / "data"
    )
    small = ["tower=[8]", "embedding_dim=4", "batch_size=1024", "epochs=1", "threads=1"]
    run = postclick.train(
        data, postclick.RunSettings.make("naive", overrides=small, seed=0), tmp_path / "run"
    )
    metrics = {(m.metric, m.space): m.value for m in run.evaluate(data, "test").metrics}
    assert 0.5 < metrics["ctr_auc", "entire"] < 1
