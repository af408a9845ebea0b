"""The world of a random network: ids alone, and truth that they and the surface give."""

import numpy as np
import polars as pl
import pytest

from postclick.datasets.simulated import simulate
from postclick.datasets.simulated.layouts.deep import DEEP, Network


def test_there_is_nothing_but_ids_and_the_place() -> None:
    schema = DEEP.schema
    assert schema.feature_names == ("user", "item", "position", "surface")


def test_truth_is_a_function_of_user_item_and_surface() -> None:
    log = simulate("deep", rows=40_000, seed=1, users=40, items=30)
    spread = (
        pl.concat([log.train, log.test])
        .group_by("user", "item", "surface")
        .agg(pl.len(), (pl.col("true_cvr").max() - pl.col("true_cvr").min()).alias("cvr"))
    )
    assert (spread["len"] > 1).sum() > 3_000
    assert spread["cvr"].max() < 1e-12


def test_every_input_matters_beyond_its_own_effect() -> None:
    """Which of two items does better depends on the user, and on the surface."""
    log = simulate("deep", rows=60_000, seed=2, users=20, items=20)
    cells = log.train.group_by("user", "item", "surface").agg(pl.col("true_cvr").first())
    for other in ("user", "surface"):
        means = cells.group_by(other, "item").agg(pl.col("true_cvr").mean())
        best = means.sort("true_cvr").group_by(other).agg(pl.col("item").last())
        assert best["item"].n_unique() > 1


def test_the_network_is_what_it_says() -> None:
    rng = np.random.default_rng(0)
    network, inputs = Network.draw(rng, 5), rng.standard_normal((7, 5))
    for row, found in zip(inputs, network(inputs), strict=True):
        first = [np.sin(row @ w + b) for w, b in zip(network.first.T, network.phase, strict=True)]
        second = [np.tanh(np.dot(first, w)) for w in network.second.T]
        assert found == pytest.approx([np.dot(second, w) for w in network.last.T])


def test_latent_factors_do_not_depend_on_the_length_of_the_log() -> None:
    """The order of CVR over cells is that of the network alone."""
    keys = ["user", "item", "surface"]
    found = [
        simulate("deep", rows=rows, seed=4, users=20, items=20)
        .train.group_by(keys)
        .agg(pl.col("true_cvr").first())
        for rows in (20_000, 30_000)
    ]
    both = found[0].join(found[1], on=keys)
    assert both.height > 1_500
    assert both.select(pl.corr("true_cvr", "true_cvr_right", method="spearman")).item() > 0.999
