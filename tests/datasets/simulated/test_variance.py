"""Shares of variance against a two-way analysis of the full table, and against regressions."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from scipy.sparse.linalg import lsqr
from scipy.special import logit

from postclick.datasets.simulated import SimulatedLog, World, get_world, simulate
from postclick.datasets.simulated.impressions import Impressions, draw_impressions
from postclick.datasets.simulated.variance import variance_of_scores

ROWS = 60_000


def drawn(world: World, users: int = 20, items: int = 20, seed: int = 5) -> Impressions:
    return draw_impressions(
        replace(world, decomposed=True), world.dependence, seed=seed, rows=ROWS, test_rows=0,
        users=users, items=items, ctr=0.2, cvr=0.2,
    )  # fmt: skip


def two_way(frame: pl.DataFrame, column: str) -> dict[str, float]:
    """Shares of the variance of a column's logit that users and items have, from all cells."""
    cells = frame.group_by("user", "item").agg(pl.col(column).first()).sort("user", "item")
    shares = [frame[side].value_counts(normalize=True).sort(side) for side in ("user", "item")]
    p, q = (share["proportion"].to_numpy() for share in shares)
    assert cells.height == p.size * q.size
    table = logit(cells[column].to_numpy().reshape(p.size, q.size))
    table = table - p @ table @ q
    users, items = p @ (table @ q) ** 2, (p @ table) ** 2 @ q
    total = p @ table**2 @ q
    return {
        "users": users / total,
        "items": items / total,
        "interactions": (total - users - items) / total,
    }


@pytest.mark.parametrize("name", ["confounded", "independent", "adverse", "interactions"])
def test_shares_are_those_of_the_whole_table(name: str) -> None:
    found = drawn(get_world(name))
    assert found.variance is not None
    wanted = two_way(found.frame, "true_cvr")
    shares = found.variance["conversion"]
    assert {part: shares[part] for part in wanted} == pytest.approx(wanted, abs=0.02)
    # At one position the click logit is that of user and item, so the rest goes by its part.
    at_first = two_way(found.frame.filter(pl.col("position") == 1), "true_ctr")
    shares = found.variance["click"]
    seen = 1 - shares["position"]
    assert {part: shares[part] / seen for part in wanted} == pytest.approx(at_first, abs=0.03)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["position"] == pytest.approx(0.4**2 / (0.4**2 + 1.3**2), abs=0.001)


def test_the_first_worlds_are_mostly_additive() -> None:
    """12 % of either signal is the match of a user and an item, and no more is in pairs."""
    for name in ("confounded", "hidden"):
        found = drawn(get_world(name), users=3_000, items=600).variance
        assert found is not None
        for shares in found.values():
            features = sum(shares[part] for part in ("users", "items", "interactions"))
            assert 0.08 < shares["interactions"] / features < 0.18
    assert found["click"]["hidden"] == pytest.approx(0.38, abs=0.02)


def additive_share(log: SimulatedLog, column: str, fields: list[str]) -> float:
    """R^2 of a linear regression of a logit on the one-hot of every field."""
    frame = pl.concat([log.train, log.test])
    wanted = logit(frame[column].to_numpy())
    wanted = wanted - wanted.mean()
    places = [frame[field].rank("dense").to_numpy().astype(int) - 1 for field in fields]
    blocks = [sparse.csr_matrix((np.ones(p.size), (np.arange(p.size), p))) for p in places]
    design = sparse.hstack(blocks).tocsr()
    residual = wanted - design @ lsqr(design, wanted, atol=1e-9, btol=1e-9, iter_lim=500)[0]
    return float(1 - residual @ residual / (wanted @ wanted))


@pytest.mark.parametrize("name", ["interactions", "deep"])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_sum_over_columns_has_half_of_the_variance(name: str, seed: int) -> None:
    log = simulate(name, rows=ROWS, seed=seed, users=200, items=100)
    assert log.variance is not None
    fields = [f.name for f in log.schema.categorical]
    for column, shares in (("true_ctr", "click"), ("true_cvr", "conversion")):
        found = additive_share(log, column, fields)
        # So few rows a user leave room to fit some of the rest.
        assert 0.97 - log.variance[shares]["interactions"] < found < 0.5


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["interactions", "deep"])
def test_half_of_both_logits_and_more_is_interactions(name: str, seed: int) -> None:
    variance = simulate(name, rows=ROWS, seed=seed).variance
    assert variance is not None
    assert all(0.5 < shares["interactions"] < 0.85 for shares in variance.values())


def test_a_part_that_does_not_vary_has_none() -> None:
    rng = np.random.default_rng(0)
    user = rng.integers(0, 5, 10_000).astype(np.int32)
    still = np.zeros_like(user)
    parts = variance_of_scores(rng, lambda u, i, c: (1.0 * u, 2.0 * u), user, still, still)
    assert [part["items"] for part in parts] == [part["context"] for part in parts] == [0, 0]
    assert [part["users"] for part in parts] == pytest.approx([2.0, 8.0], rel=0.05)
