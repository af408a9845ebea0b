"""What `prepare` writes: rows, ids, splits, the same bytes for the same input."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from helpers.written import digests, row_values, stored
from postclick.data.encode.encoder import Encoder
from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.manifest import VOCABULARIES, Manifest
from postclick.data.prepared import PreparedLog
from postclick.data.read import chunks, reader
from postclick.data.read.canonical import Canonicalizer, Issues
from postclick.data.read.files import parquet_source
from postclick.data.read.opening import FrameSource, LogSource, open_log
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write import shards, spill
from postclick.data.write.prepare import prepare
from postclick.errors import InputError


def test_what_is_written(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    train, test = make_log(), make_log(500, seed=1, first=2900)
    splits = LogSplits(schema, FrameSource(train), FrameSource(test), notes=("a note",))
    log = prepare(splits, tmp_path / "out", shard_rows=700)
    manifest = log.manifest
    assert list(manifest.splits) == ["train", "valid", "test"]
    assert log.split("test").rows == 500
    assert log.split("train").rows + log.split("valid").rows == 3000
    assert 230 < log.split("valid").rows < 370
    assert (log.split("test").clicks, log.split("test").conversions) == (
        test["click"].sum(),
        test["buy"].sum(),
    )
    assert [c.name for c in manifest.ids] == ["user", "shop", "row", "age"]
    assert [c.name for c in manifest.numerics] == ["price", "price__missing"]
    assert manifest.bags[0].weighted
    assert manifest.notes == ("a note",)
    assert manifest.splits["train"].truth == ("true_ctr",)
    for split in manifest.splits.values():
        assert sum(shard.rows for shard in split.shards) == split.rows
        for shard in split.shards:
            assert (
                hashlib.sha256((log.folder / shard.file).read_bytes()).hexdigest() == shard.sha256
            )
    assert len(log.split("train").shards) == 4
    kinds = pq.read_schema(log.folder / log.split("train").shards[0].file)
    assert [
        str(kinds.field(n).type) for n in ("click", "true_ctr", "user", "price", "history")
    ] == [
        "int8",
        "float",
        "int32",
        "float",
        "list<element: int32>",
    ]
    files = set(digests(log.folder))
    assert {"manifest.json", "request.json", f"{VOCABULARIES}/shop.parquet"} <= files
    assert not any("spill" in name for name in files)


def test_rows_are_neither_lost_nor_changed(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    frame = make_log()
    log = prepare(LogSplits(schema, FrameSource(frame)), tmp_path / "out", shard_rows=400)
    # The encoder that scoring loads must agree with what prepare wrote.
    raw = Canonicalizer(schema, frame.columns).convert(frame, Issues())
    encoded = Encoder.load(log.folder, log.manifest).encode(raw)
    expected = encoded.with_columns(raw=frame["row"].cast(pl.String))
    features = Canonicalizer(schema, frame.columns, labels=False).convert(frame, Issues())
    scored = Encoder.load(log.folder, log.manifest).encode(features)
    assert scored.equals(encoded.drop("click", "conversion", "true_ctr"))
    assert scored.schema == Encoder.load(log.folder, log.manifest).encode(features.head(0)).schema
    parts = [stored(log, name) for name in ("train", "valid", "test")]
    train = parts[0].with_columns(raw=pl.Series(row_values(log, "train")))
    both = train.join(expected, on="raw", how="inner", suffix="_again", maintain_order="left")
    assert both.height == train.height
    for name in parts[0].columns:
        assert both[name].equals(both[f"{name}_again"], check_names=False), name
    everything = pl.concat(parts)
    assert everything.height == frame.height
    for name in ("user", "shop", "age", "price", "true_ctr"):
        assert everything[name].sort().equals(expected[name].sort()), name
    assert everything["history"].list.len().sum() == frame["history"].list.len().sum()


def test_unseen_missing_and_rare_values_are_0(tmp_path: Path, make_log: Any) -> None:
    schema = LogSchema.parse(
        {
            "click": "click",
            "conversion": "buy",
            "categorical": [{"name": "shop", "min_count": 100}, "user"],
            "multi": ["history"],
        }
    )
    test = make_log(600, seed=1).with_columns(user=pl.lit(99), history=pl.lit(["x", "1"]))
    splits = LogSplits(schema, FrameSource(make_log()), FrameSource(test))
    log = prepare(splits, tmp_path / "out")
    assert log.inputs.field_sizes[0] == 4  # "d" is too rare
    rows = stored(log, "test")
    assert (rows["shop"] == 0).sum() == (test["shop"] == "d").sum()
    assert rows["user"].unique().to_list() == [0]
    known = Vocabulary.load(log.folder / VOCABULARIES, "history").encode(pl.Series(["1"]))[0]
    assert rows["history"].to_list() == [[0, known]] * 600


def test_same_input_and_seed_give_the_same_bytes(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    make_log().write_parquet(tmp_path / "log.parquet")

    def run(name: str, seed: int) -> PreparedLog:
        splits = LogSplits(schema, open_log(tmp_path / "log.parquet"))
        return prepare(splits, tmp_path / name, seed=seed, shard_rows=500)

    first, second, other = run("a", 3), run("b", 3), run("c", 4)
    assert digests(first.folder) == digests(second.folder)
    assert first.fingerprint == second.fingerprint != other.fingerprint
    assert set(row_values(first, "train")) != set(row_values(other, "train"))


def test_chunks_do_not_matter(
    tmp_path: Path, make_log: Any, schema: LogSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = []
    for k, rows in enumerate((100_000, 271)):
        monkeypatch.setattr(chunks, "CHUNK_ROWS", rows)
        monkeypatch.setattr(spill, "PORTION_BYTES", 10_000 if k else 1 << 30)
        splits = LogSplits(schema, FrameSource(make_log()))
        logs.append(prepare(splits, tmp_path / str(k), shard_rows=300))
    for name in ("train", "valid", "test"):
        a, b = stored(logs[0], name), stored(logs[1], name)
        exact = [c for c in a.columns if c != "price"]  # its mean is summed in another order
        assert a.select(exact).equals(b.select(exact))
        assert np.allclose(a["price"].to_numpy(), b["price"].to_numpy(), atol=1e-6)


def test_long_lists_are_taken_in_small_pieces(
    tmp_path: Path, make_log: Any, schema: LogSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_log().write_parquet(tmp_path / "log.parquet")
    frame = make_log().drop("price")  # its mean would be summed in another order
    plain = LogSchema.parse({**schema.model_dump(), "numeric": ()})
    whole = prepare(LogSplits(plain, FrameSource(frame)), tmp_path / "whole")
    monkeypatch.setattr(reader, "PIECE_BYTES", 5000)
    monkeypatch.setattr(parquet_source, "CHUNK_BYTES", 20_000)
    log = open_log(tmp_path / "log.parquet")
    assert len(list(log.frames(["row"]))) > 3
    cut = prepare(LogSplits(plain, log), tmp_path / "cut")
    assert stored(cut, "train").equals(stored(whole, "train"))
    monkeypatch.setattr(shards, "SHARD_BYTES", 50_000)
    small = prepare(LogSplits(plain, log), tmp_path / "small")
    assert len(small.split("train").shards) > 1
    assert stored(small, "train").equals(stored(whole, "train"))


def test_more_buckets_than_may_be_open(
    tmp_path: Path, make_log: Any, schema: LogSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = LogSplits(schema, FrameSource(make_log()))
    whole = prepare(splits, tmp_path / "a", shard_rows=100)
    monkeypatch.setattr(shards, "MAX_OPEN_BUCKETS", 4)
    few = prepare(splits, tmp_path / "b", shard_rows=100)
    assert digests(whole.folder) == digests(few.folder)


def test_a_sorted_log_ends_up_mixed(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    frame = make_log(6000).sort("click", "price")
    frame = frame.with_columns(row=pl.int_range(6000))
    log = prepare(LogSplits(schema, FrameSource(frame)), tmp_path / "out", shard_rows=1000)
    order = np.array(row_values(log, "train"), dtype=np.float64)
    places = np.arange(len(order))
    assert abs(np.corrcoef(order, places)[0, 1]) < 4 / np.sqrt(len(order))
    assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 4 / np.sqrt(len(order))
    rate = frame["click"].mean()
    for shard in log.split("train").shards:
        part = pl.read_parquet(log.folder / shard.file)
        assert abs(part["click"].mean() - rate) < 4 * np.sqrt(0.25 / part.height)
    assert abs(log.split("test").clicks / log.split("test").rows - rate) < 0.06


def test_drawn_rows_are_not_fitted_on(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    log = prepare(LogSplits(schema, FrameSource(make_log())), tmp_path / "out", seed=5)
    known = Vocabulary.load(log.folder / VOCABULARIES, "row").table["value"].to_list()
    assert len(known) == log.split("train").rows
    for name in ("valid", "test"):
        assert stored(log, name)["row"].unique().to_list() == [0]
    used = make_log().filter(pl.col("row").cast(pl.String).is_in(known))
    price = next(c for c in log.manifest.numerics if c.name == "price")
    assert price.mean == pytest.approx(used["price"].mean())
    assert price.std == pytest.approx(used["price"].std(ddof=0))
    counts = Vocabulary.load(log.folder / VOCABULARIES, "user").table["count"].sum()
    assert counts == used.height


def test_no_split_is_drawn_where_none_is_wanted(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    splits = LogSplits(schema, FrameSource(make_log()))
    log = prepare(splits, tmp_path / "out", valid_fraction=0, test_fraction=0)
    assert list(log.manifest.splits) == ["train"]
    assert sorted(map(int, row_values(log, "train"))) == list(range(3000))


def test_random_splits_of_a_log_with_times(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    timed = schema.model_copy(update={"time": "row", "key": ("row",)})
    log = prepare(LogSplits(timed, FrameSource(make_log())), tmp_path / "out")
    found = {f["code"]: f for f in log.manifest.findings}
    drawn = log.split("valid").rows + log.split("test").rows
    assert found["time-overlap"]["rows"] == drawn
    assert "split-overlap" not in found


def test_hillstrom(tmp_path: Path, shared_data: Path) -> None:
    raw: LogSource = open_log(shared_data / "hillstrom" / "hillstrom.csv")
    features = {
        "categorical": ["history_segment", "zip_code", "channel", "mens", "womens", "newbie"],
        "numeric": ["recency", {"name": "history", "transform": "log1p"}],
        "ignore": ["segment"],
    }
    schema = LogSchema.parse({"click": "visit", "conversion": "conversion", **features})
    log = prepare(LogSplits(schema, raw), tmp_path / "out")
    assert sum(s.rows for s in log.manifest.splits.values()) == 64_000
    assert sum(s.clicks for s in log.manifest.splits.values()) == 9_394
    assert sum(s.conversions for s in log.manifest.splits.values()) == 578
    assert log.inputs.field_sizes == (8, 4, 4, 3, 3, 3)
    numeric = log.rows("train").numeric.double()
    assert numeric.mean(0).abs().max() < 1e-5
    assert (numeric.std(0) - 1).abs().max() < 1e-3
    leaky = schema.model_copy(
        update={
            "numeric": (*schema.numeric, schema.numeric[0].model_copy(update={"name": "spend"}))
        }
    )
    with pytest.raises(InputError, match="column 'spend' predicts conversion"):
        prepare(LogSplits(leaky, raw), tmp_path / "leaky")


def test_the_manifest_is_plain_json(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    log = prepare(LogSplits(schema, FrameSource(make_log())), tmp_path / "out")
    data = json.loads((log.folder / "manifest.json").read_text())
    assert data["format"] == 1
    assert Manifest.read(log.folder) == log.manifest
    age = next(c for c in log.manifest.ids if c.name == "age")
    assert age.edges is not None
    assert age.size == len(age.edges) + 2 == 9
