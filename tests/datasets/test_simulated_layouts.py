"""The layouts of Ali-CCP and AliExpress: columns, schema, histories and crosses, end to end."""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import postclick
from postclick.data.schema import LogSchema
from postclick.datasets.aliccp import dataset as aliccp
from postclick.datasets.aliexpress import schema as aliexpress_schema
from postclick.datasets.simulated import simulate, write_simulated
from postclick.datasets.simulated.layouts.aliccp_like import SHARES as ALICCP_SHARES
from postclick.datasets.simulated.layouts.aliexpress_like import ITEM_LEVELS, SHARES, USER_LEVELS

TRUTH = ["true_ctr", "true_cvr", "potential_conversion"]
LAYOUTS = ("aliccp_like", "aliexpress_like")


@cache
def drawn(world: str) -> pl.DataFrame:
    log = simulate(world, rows=30_000, seed=6, users=200, items=150)
    return pl.concat([log.train, log.test])


@pytest.mark.parametrize(
    ("world", "public"),
    [("aliccp_like", aliccp.schema("all")), ("aliexpress_like", aliexpress_schema())],
)
def test_schema_is_the_public_logs_with_truth(
    world: str, public: LogSchema, tmp_path: Path
) -> None:
    log = write_simulated(tmp_path / "log", world, rows=1_000)
    schema = LogSchema.load(tmp_path / "log" / "schema.yaml")
    assert schema == log.schema
    assert schema.model_copy(update={"truth": public.truth, "ignore": public.ignore}) == public
    assert schema.truth.columns() == TRUTH
    assert set(schema.columns) == set(log.train.columns) == set(log.test.columns)
    read = pl.read_parquet(tmp_path / "log" / "train.parquet")
    assert read.equals(log.train)


@pytest.mark.parametrize("shares", [SHARES, ALICCP_SHARES])
def test_shares_of_variance_sum_to_one(shares: dict[str, float]) -> None:
    assert sum(shares.values()) == pytest.approx(1.0)


def test_aliexpress_columns() -> None:
    frame = drawn("aliexpress_like")
    assert [*USER_LEVELS, *ITEM_LEVELS] == [f"categorical_{n}" for n in range(1, 17)]
    numbers = frame.select(f"numerical_{n}" for n in range(1, 64))
    assert set(numbers.dtypes) == {pl.Float32}
    assert numbers.min().min_horizontal().item() == 0
    assert 0.5 < numbers.max().max_horizontal().item() < 1
    zeros = (numbers == 0).mean().transpose().to_series()
    assert 0.2 < zeros.mean() < 0.7
    for name, count in (USER_LEVELS | ITEM_LEVELS).items():
        assert frame[name].is_between(0, count - 1).all()


@pytest.mark.parametrize("world", LAYOUTS)
def test_truth_is_a_function_of_the_columns(world: str) -> None:
    frame = drawn(world)
    features = frame.drop(TRUTH, "click", "conversion", "purchase", strict=False)
    rows = features.select(
        pl.col(pl.List(pl.Int32), pl.List(pl.Float32)).list.eval(pl.element().hash()).list.sum(),
        pl.exclude(pl.List(pl.Int32), pl.List(pl.Float32)),
    ).hash_rows()
    spread = frame.group_by(rows.alias("row")).agg(
        pl.len(), *((pl.col(c).max() - pl.col(c).min()).alias(c) for c in TRUTH[:2])
    )
    assert (spread["len"] > 1).sum() > 1_000
    assert spread["true_ctr"].max() < 1e-12
    assert spread["true_cvr"].max() < 1e-12


@pytest.mark.parametrize(
    ("cross", "history", "field"),
    [("508", "109_14", "206"), ("509", "110_14", "207"), ("702", "127_14", "216")],
)
def test_a_cross_looks_up_the_items_field_in_the_users_history(
    cross: str, history: str, field: str
) -> None:
    frame = drawn("aliccp_like").head(3_000)
    hits = 0
    for ids, weights, code, found, value in frame.select(
        history, f"{history}_weight", field, cross, f"{cross}_value"
    ).iter_rows():
        known = dict(zip(ids or (), weights or (), strict=True))
        assert (found, value) == ((code, known[code]) if code in known else (None, 0.0))
        hits += found is not None
    assert 50 < hits < 2_900


def test_853_holds_the_items_intentions_that_the_user_had() -> None:
    columns = ["150_14", "150_14_weight", "210", "853", "853_weight"]
    hits = 0
    for had, weights, item, both, values in (
        drawn("aliccp_like").head(3_000).select(columns).iter_rows()
    ):
        known = dict(zip(had or (), weights or (), strict=True))
        wanted = [i for i in item or () if i in known]
        assert (both or []) == wanted
        assert (values or []) == [known[i] for i in wanted]
        assert item is None or len(set(item)) == len(item) <= 4
        hits += bool(wanted)
    assert hits > 500


def test_histories_are_the_users_own_the_most_frequent_first() -> None:
    frame = drawn("aliccp_like")
    for history in ("109_14", "110_14", "127_14", "150_14"):
        columns = [history, f"{history}_weight"]
        assert frame.group_by("101").agg(pl.col(columns).n_unique())[history].max() == 1
        for ids, weights in frame.unique("101").select(columns).iter_rows():
            assert weights == sorted(weights, reverse=True)
            assert len(set(ids)) == len(ids)
            counts = np.expm1(weights)
            assert np.allclose(counts, counts.round(), rtol=1e-5)


def test_histories_tell_of_clicks() -> None:
    """Users met more of categories whose items match them: history and truth hang together."""
    frame = simulate("aliccp_like", rows=100_000, seed=6).train
    logit = (pl.col("true_ctr") / (1 - pl.col("true_ctr"))).log()
    residual = logit - logit.mean().over("101") - logit.mean().over("205")
    assert abs(frame.select(pl.corr(residual, pl.col("508_value"))).item()) > 0.1


@pytest.mark.parametrize("world", LAYOUTS)
def test_prepared_and_trained_end_to_end(world: str, tmp_path: Path) -> None:
    raw, data = tmp_path / "raw", tmp_path / "data"
    write_simulated(raw, world, rows=6_000, seed=0, ctr=0.3, cvr=0.3, users=150, items=60)
    splits = postclick.open_splits(
        raw / "schema.yaml", [raw / "train.parquet"], [raw / "test.parquet"]
    )
    log = postclick.prepare(splits, data)
    assert not [f for f in log.manifest.findings if f["severity"] == "error"]
    assert len(log.inputs.bag_sizes) == (6 if world == "aliccp_like" else 0)
    small = ["tower=[8]", "embedding_dim=4", "batch_size=1024", "epochs=1", "threads=1", "lr=0.01"]
    settings = postclick.RunSettings.make("esmm", overrides=small, seed=0)
    run = postclick.train(log, settings, tmp_path / "run")
    values = {(m.metric, m.space): m.value for m in run.evaluate(log, "test").metrics}
    assert values["ctr_auc", "entire"] > 0.55
