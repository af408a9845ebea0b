from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import torch

from postclick.data import prepared as prepared_module
from postclick.data.arrays import BagArrays, field_offsets, read_rows
from postclick.data.batch import Batch
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.errors import InputError


@pytest.fixture
def log(tmp_path: Path, make_log: Any, schema: LogSchema) -> PreparedLog:
    return prepare(LogSplits(schema, FrameSource(make_log())), tmp_path / "out", shard_rows=300)


def table(log: PreparedLog, split: str = "train") -> pl.DataFrame:
    return pl.concat(
        [pl.read_parquet(log.folder / shard.file) for shard in log.split(split).shards]
    )


def keys(batches: list[Batch]) -> list[tuple[float, ...]]:
    """Each row as a tuple of all it holds."""
    rows = []
    for batch in batches:
        bag = batch.bags[0]
        ends = [*bag.offsets[1:].tolist(), len(bag.values)]
        for k in range(len(batch)):
            part = slice(int(bag.offsets[k]), ends[k])
            rows.append(
                (
                    *batch.ids[k].tolist(),
                    *batch.numeric[k].tolist(),
                    *bag.values[part].tolist(),
                    *bag.weights[part].tolist(),
                    batch.click[k].item(),
                    batch.conversion[k].item(),
                )
            )
    return rows


def test_read_rows(log: PreparedLog) -> None:
    frame, rows = table(log), log.rows("train")
    offsets = field_offsets(log.manifest)
    sizes = [*log.inputs.field_sizes, *log.inputs.bag_sizes]
    assert offsets == [sum(sizes[:k]) for k in range(len(sizes) + 1)]
    assert len(rows) == log.split("train").rows == frame.height
    for k, column in enumerate(log.manifest.ids):
        ids = rows.ids[:, k].numpy()
        assert (ids - offsets[k] == frame[column.name].to_numpy()).all()
        assert ids.min() >= offsets[k]
        assert ids.max() < offsets[k + 1]
    for k, number in enumerate(log.manifest.numerics):
        assert (rows.numeric[:, k].numpy() == frame[number.name].to_numpy()).all()
    assert (rows.click.numpy() == frame["click"].to_numpy()).all()
    assert (rows.conversion.numpy() == frame["conversion"].to_numpy()).all()
    assert (rows.truth["true_ctr"] == frame["true_ctr"].to_numpy()).all()
    assert (rows.ids.dtype, rows.numeric.dtype, rows.click.dtype) == (
        torch.int32,
        torch.float32,
        torch.float32,
    )


def test_bags_keep_ids_and_weights(log: PreparedLog) -> None:
    frame, bag = table(log), log.rows("train").bags[0]
    first = field_offsets(log.manifest)[len(log.manifest.ids)]
    flat = [k + first for ids in frame["history"].to_list() for k in ids]
    assert bag.values.tolist() == flat
    assert bag.weights.tolist() == [w for row in frame["history__weights"].to_list() for w in row]
    lengths = frame["history"].list.len().to_list()
    assert bag.offsets.diff().tolist() == lengths


def test_mean_pooling_divides_by_the_length(tmp_path: Path, make_log: Any) -> None:
    schema = LogSchema.parse({"click": "click", "conversion": "buy", "multi": ["history"]})
    log = prepare(LogSplits(schema, FrameSource(make_log())), tmp_path / "mean")
    bag = log.rows("train").bags[0]
    sums = torch.zeros(len(log.rows("train")))
    lengths = bag.offsets.diff()
    sums.index_add_(0, torch.repeat_interleave(torch.arange(len(sums)), lengths), bag.weights)
    assert torch.allclose(sums, (lengths > 0).float())


def test_gathering_bags_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 4, 50)
    offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]))
    values = torch.arange(int(offsets[-1]), dtype=torch.int32)
    bag = BagArrays(values, offsets, values.float() / 7)
    for rows in ([3, 3, 49, 0], list(rng.integers(0, 50, 30)), [], [7]):
        got = bag.take(torch.tensor(rows, dtype=torch.int64))
        expected: list[int] = []
        starts = []
        for row in rows:
            starts.append(len(expected))
            expected += values[offsets[row] : offsets[row + 1]].tolist()
        assert got.values.tolist() == expected
        assert got.offsets.tolist() == starts
        assert torch.equal(got.weights, torch.tensor(expected, dtype=torch.float32) / 7)


def test_shuffled(log: PreparedLog) -> None:
    once = list(log.shuffled("train", 128, seed=1))
    assert [len(b) for b in once[:-1]] == [128] * (len(once) - 1)
    assert len(once) == log.steps("train", 128)
    assert keys(once) == keys(list(log.shuffled("train", 128, seed=1)))
    assert keys(once) != keys(list(log.shuffled("train", 128, seed=2)))
    whole = keys([log.rows("train").take(torch.arange(len(log.rows("train"))))])
    assert keys(once) != whole
    assert sorted(keys(once)) == sorted(whole)
    rest = list(log.shuffled("train", 128, seed=1, skip=3))
    assert keys(rest) == keys(once[3:])
    assert list(log.shuffled("train", 128, seed=1, skip=len(once))) == []


def test_sequential(log: PreparedLog) -> None:
    frame = table(log, "test")
    clicks, truth = [], []
    for batch, window, rows in log.sequential("test", 100):
        clicks += batch.click.tolist()
        truth += window.truth["true_ctr"][rows.numpy()].tolist()
    assert clicks == frame["click"].to_list()
    assert truth == frame["true_ctr"].to_list()


def test_streaming_gives_the_same_rows(log: PreparedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [keys(list(log.shuffled("train", 64, seed=1)))]
    order = [keys([batch])[0] for batch, _, _ in log.sequential("train", 1)]
    monkeypatch.setattr(prepared_module, "IN_MEMORY_BYTES", 0)
    streamed = PreparedLog(log.folder)
    assert not streamed.fits_in_memory("train")
    assert len(list(streamed.windows("train"))) == len(log.split("train").shards) > 2
    batches = list(streamed.shuffled("train", 64, seed=1))
    assert len(batches) == streamed.steps("train", 64)
    assert sorted(keys(batches)) == sorted(held[0])
    assert keys(batches) == keys(list(streamed.shuffled("train", 64, seed=1)))
    assert keys(list(streamed.shuffled("train", 64, seed=1, skip=5))) == keys(batches[5:])
    assert [keys([b])[0] for b, _, _ in streamed.sequential("train", 1)] == order


def test_base_rates(log: PreparedLog) -> None:
    train = log.split("train")
    assert log.base_rates.ctr == (train.clicks + 1) / (train.rows + 2)
    assert log.base_rates.cvr == (train.conversions + 1) / (train.clicks + 2)


def test_what_is_not_there(log: PreparedLog, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no split 'dev'; it has train, valid, test"):
        log.split("dev")
    with pytest.raises(InputError, match="is not a prepared log"):
        PreparedLog(tmp_path)
    with pytest.raises(InputError, match="a split without shards"):
        read_rows(log.folder, log.manifest, [])


def test_damage_is_told(log: PreparedLog) -> None:
    shard = log.folder / log.split("test").shards[0].file
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(InputError, match="missing or damaged") as caught:
        log.rows("test")
    assert "\n" not in str(caught.value)
    (log.folder / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        PreparedLog(log.folder)


def test_bags_of_a_slice_and_of_no_rows(log: PreparedLog, tmp_path: Path) -> None:
    file = log.split("test").shards[0].file
    whole = pq.read_table(log.folder / file)
    (tmp_path / "cut").mkdir()
    pq.write_table(whole.slice(10, 20), tmp_path / "cut" / "a.parquet")
    pq.write_table(whole.slice(0, 0), tmp_path / "cut" / "none.parquet")
    rows = read_rows(tmp_path / "cut", log.manifest, ["none.parquet", "a.parquet"])
    original = log.rows("test").take(torch.arange(10, 30))
    assert keys([rows.take(torch.arange(20))]) == keys([original])
    empty = read_rows(tmp_path / "cut", log.manifest, ["none.parquet"])
    assert len(empty) == 0
    assert len(empty.take(torch.arange(0))) == 0
