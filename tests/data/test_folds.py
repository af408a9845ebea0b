"""Folds of a training split against the shards themselves: rows, groups, counts, streaming."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from postclick.data import prepared as prepared_module
from postclick.data.batch import Batch
from postclick.data.folds import PartOfTraining, TrainingFolds
from postclick.data.manifest import Manifest
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare

ROWS, FOLDS = 2_000, 3
SCHEMA = {
    "click": "click",
    "conversion": "buy",
    "categorical": ["shop"],
    "numeric": ["price"],
    "multi": ["seen"],
    "vector": [{"name": "place", "size": 2}],
    "group": "user",
    "weight": "times",
    "exposure": "slot",
}


def frame(seed: int = 0) -> pl.DataFrame:
    """Prices tell rows apart; a tenth of the rows has no user."""
    rng = np.random.default_rng(seed)
    click = rng.random(ROWS) < 0.4
    user = rng.integers(0, 60, ROWS)
    return pl.DataFrame(
        {
            "shop": rng.integers(0, 9, ROWS),
            "price": rng.permutation(ROWS).astype(float),
            "seen": [rng.integers(0, 9, n).tolist() for n in rng.integers(0, 4, ROWS)],
            "place": rng.normal(size=(ROWS, 2)).tolist(),
            "user": [None if rng.random() < 0.1 else int(u) for u in user],
            "times": rng.uniform(0.5, 2.0, ROWS),
            "slot": rng.integers(1, 4, ROWS),
            "click": click.astype(np.int8),
            "buy": (click & (rng.random(ROWS) < 0.3)).astype(np.int8),
        }
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    out = tmp_path_factory.mktemp("folds") / "log"
    splits = LogSplits(LogSchema.parse(SCHEMA), FrameSource(frame()))
    return prepare(splits, out, shard_rows=300)


def parts(log: PreparedLog, seed: int = 0) -> list[PartOfTraining]:
    folds = TrainingFolds(log, FOLDS, seed)
    return [folds.only(fold) for fold in range(FOLDS)]


def prices(log: PreparedLog) -> list[float]:
    return [x for batch, _, _ in log.sequential("train", 100) for x in batch.numeric[:, 0].tolist()]


def table(log: PreparedLog) -> pl.DataFrame:
    shards = log.split("train").shards
    return pl.concat([pl.read_parquet(log.folder / shard.file) for shard in shards])


def test_every_row_is_in_one_fold_and_in_all_logs_but_one(log: PreparedLog) -> None:
    folds, whole = TrainingFolds(log, FOLDS), sorted(prices(log))
    held = [prices(folds.only(fold)) for fold in range(FOLDS)]
    assert sorted(price for mine in held for price in mine) == whole
    for fold, mine in enumerate(held):
        others = prices(folds.without(fold))
        assert sorted(mine + others) == whole
        assert len(mine) / len(whole) == pytest.approx(1 / FOLDS, abs=0.12)
        assert len(prices(folds.without(fold))) == folds.without(fold).split("train").rows
    assert [prices(p) for p in parts(log)] == held
    assert [prices(p) for p in parts(log, seed=1)] != held


def test_rows_of_a_group_are_together_and_rows_without_one_are_not(log: PreparedLog) -> None:
    groups = [np.asarray(part.rows("train").group) for part in parts(log)]
    named = [set(of[of != 0].tolist()) for of in groups]
    assert all(named)
    assert len(set.union(*named)) == sum(map(len, named))
    alone = [int((of == 0).sum()) for of in groups]
    assert min(alone) > 0.15 * sum(alone)


def test_a_row_keeps_all_that_it_has(log: PreparedLog) -> None:
    def row(batch: Batch, k: int) -> list[object]:
        bag = batch.bags[0]
        ends = [*bag.offsets.tolist(), len(bag.values)]
        inside = slice(ends[k], ends[k + 1])
        assert batch.weight is not None
        assert batch.exposure is not None
        tensors = (batch.ids, batch.numeric, batch.click, batch.conversion, batch.weight)
        told: list[object] = [tensor[k].tolist() for tensor in (*tensors, batch.exposure)]
        return [*told, bag.values[inside].tolist(), bag.weights[inside].tolist()]

    def by_price(log: PreparedLog) -> dict[float, list[object]]:
        found = {}
        for batch, _, _ in log.sequential("train", 128):
            for k in range(len(batch)):
                found[batch.numeric[k, 0].item()] = row(batch, k)
        return found

    whole = by_price(log)
    for part in parts(log):
        mine = by_price(part)
        assert len(mine) > 300
        assert all(mine[price] == whole[price] for price in mine)


def test_counts_are_those_of_the_rows(log: PreparedLog) -> None:
    every = table(log)
    folds = TrainingFolds(log, FOLDS)
    for fold in range(FOLDS):
        part = folds.without(fold)
        arrays, split = part.rows("train"), part.split("train")
        rows = every.filter(pl.col("price").is_in(arrays.numeric[:, 0].numpy()))
        assert rows.height == split.rows == sum(shard.rows for shard in split.shards)
        assert (split.clicks, split.conversions) == (rows["click"].sum(), rows["conversion"].sum())
        weight = rows["sample_weight"].cast(pl.Float64)
        assert split.weight is not None
        assert split.weight.rows == pytest.approx(weight.sum())
        assert split.weight.clicks == pytest.approx((weight * rows["click"]).sum())
        assert split.weight.conversions == pytest.approx((weight * rows["conversion"]).sum())
        assert part.base_rates.ctr == pytest.approx(split.weight.clicks / split.weight.rows, 1e-2)
        exposure = part.manifest.exposure
        assert exposure is not None
        for at in range(exposure.size):
            mine = rows["slot"] == at
            assert exposure.rows[at] == pytest.approx(weight.filter(mine).sum())
            clicks = (weight * rows["click"]).filter(mine).sum()
            assert exposure.clicks[at] == pytest.approx(clicks)
        assert part.inputs.exposure != log.inputs.exposure


def test_a_streamed_log_has_the_same_folds(
    log: PreparedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [sorted(prices(part)) for part in parts(log)]
    monkeypatch.setattr(prepared_module, "IN_MEMORY_BYTES", 0)
    streamed = PreparedLog(log.folder)
    for part, mine in zip(parts(streamed), held, strict=True):
        assert sorted(prices(part)) == mine
        batches = list(part.shuffled("train", 64, seed=1))
        assert len(batches) == part.steps("train", 64)
        assert sorted(x for b in batches for x in b.numeric[:, 0].tolist()) == mine


def test_other_splits_are_whole_and_a_part_is_another_log(log: PreparedLog, tmp_path: Path) -> None:
    first, second, _ = parts(log)
    for name in ("valid", "test"):
        assert first.split(name) == log.split(name)
        assert first.rows(name) is log.rows(name)
    without = TrainingFolds(log, FOLDS).without(0)
    of_another_seed = TrainingFolds(log, FOLDS, 1).only(0)
    logs = (log, first, second, without, of_another_seed)
    assert len({one.fingerprint for one in logs}) == len(logs)
    without.write_manifest(tmp_path)
    assert Manifest.read(tmp_path) == without.manifest


def test_a_shard_without_rows_of_a_part_is_left_out(tmp_path: Path) -> None:
    schema = LogSchema.parse({"click": "click", "conversion": "buy", "categorical": ["shop"],
                              "group": "user"})  # fmt: skip
    rows = frame().with_columns(user=pl.lit("the same"))
    log = prepare(LogSplits(schema, FrameSource(rows)), tmp_path / "log", shard_rows=300,
                  split_by="random")  # fmt: skip
    sizes = sorted(len(part.split("train").shards) for part in parts(log))
    assert sizes == [0, 0, len(log.split("train").shards)]
