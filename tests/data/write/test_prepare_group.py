"""The group column on its way through `prepare`: the same group in every split, file and type."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from helpers.written import digests, row_values, stored
from postclick.data import prepared as prepared_module
from postclick.data.encode.encoder import Encoder
from postclick.data.manifest import GROUP, Manifest
from postclick.data.prepared import PreparedLog
from postclick.data.read.canonical import Canonicalizer, Issues
from postclick.data.read.log_source import FrameSource
from postclick.data.read.opening import open_log
from postclick.data.read.values.group_hash import read_group, text_hash
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.errors import InputError
from postclick.judging.labels import split_labels


def grouped(schema: LogSchema, column: str = "user") -> LogSchema:
    return LogSchema.parse({**schema.model_dump(mode="json"), "group": column})


def test_every_row_keeps_its_group(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    frame = make_log().with_columns(user=pl.when(pl.col("row") % 11 > 0).then("user"))
    splits = LogSplits(grouped(schema), FrameSource(frame))
    log = prepare(splits, tmp_path / "out", shard_rows=400)
    of_row = dict(
        zip(frame["row"].cast(pl.String), text_hash(read_group(frame["user"]).text), strict=True)
    )
    train = stored(log, "train")
    assert train[GROUP].to_list() == [of_row[row] for row in row_values(log, "train")]
    everything = pl.concat([stored(log, split) for split in log.manifest.splits])
    assert everything[GROUP].sort().to_list() == sorted(of_row.values())
    assert (everything[GROUP] == 0).sum() == frame["user"].null_count() > 0
    kind = pq.read_schema(log.folder / log.split("test").shards[0].file).field(GROUP)
    assert (str(kind.type), kind.nullable) == ("int64", False)
    assert log.manifest.log_schema.group == "user"
    assert Manifest.read(log.folder).log_schema.group == "user"
    assert GROUP not in [c.name for c in (*log.manifest.ids, *log.manifest.numerics)]


@pytest.mark.parametrize("negative_rate", [1.0, 0.3])
def test_a_group_changes_nothing_else(
    tmp_path: Path, make_log: Any, schema: LogSchema, negative_rate: float
) -> None:
    source = FrameSource(make_log())
    plain = prepare(LogSplits(schema, source), tmp_path / "a", negative_rate=negative_rate)
    with_group = LogSplits(grouped(schema), source)
    log = prepare(with_group, tmp_path / "b", negative_rate=negative_rate)
    for split in ("train", "valid", "test"):
        assert stored(log, split).drop(GROUP).equals(stored(plain, split))
    assert log.manifest.ids == plain.manifest.ids
    assert "group" not in (plain.folder / "manifest.json").read_text()
    assert plain.fingerprint != log.fingerprint


def test_files_and_types_agree(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    """Whole numbers in a CSV, in Parquet as int64, as float64 and as text, split over files."""
    frame = make_log(1200).drop("history", "weight", "age", "price")
    plain = {"click": "click", "conversion": "buy", "categorical": ["row"], "group": "user"}
    frame[:400].write_csv(tmp_path / "a.csv")
    frame[400:800].write_parquet(tmp_path / "b.parquet")
    frame[800:].with_columns(pl.col("user").cast(pl.Float64)).write_parquet(tmp_path / "c.parquet")
    mixed = open_log(*(tmp_path / name for name in ("a.csv", "b.parquet", "c.parquet")))
    texts = FrameSource(frame.with_columns(pl.col("user").cast(pl.String) + ".0"))
    test = FrameSource(make_log(300, seed=1))
    logs = [
        prepare(LogSplits(LogSchema.parse(plain), train, test), tmp_path / str(k))
        for k, train in enumerate((mixed, texts, FrameSource(frame)))
    ]
    trains = [stored(log, "train") for log in logs]
    assert trains[0].equals(trains[1])
    assert trains[0].equals(trains[2])
    users = set(text_hash(read_group(frame["user"]).text).tolist())
    assert set(trains[0][GROUP]) == users
    assert set(stored(logs[0], "test")[GROUP]) <= users  # the same users, read from another log


def test_what_reads_it(
    tmp_path: Path, make_log: Any, schema: LogSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = LogSplits(grouped(schema, "shop"), FrameSource(make_log()))
    log = prepare(splits, tmp_path / "out", shard_rows=300)
    expected = stored(log, "test")[GROUP].to_numpy()
    labels = split_labels(log, "test")
    assert labels.group is not None
    assert labels.group.dtype == np.int64
    assert labels.group.tolist() == expected.tolist()
    for limit in (1 << 30, 0):  # in memory, then shard by shard
        monkeypatch.setattr(prepared_module, "IN_MEMORY_BYTES", limit)
        log = PreparedLog(log.folder)
        parts = [w.group[rows] for _, w, rows in log.sequential("test", 100) if w.group is not None]
        assert np.concatenate(parts).tolist() == expected.tolist()
    plain = prepare(LogSplits(schema, FrameSource(make_log())), tmp_path / "plain")
    assert plain.rows("test").group is None
    assert split_labels(plain, "test").group is None


def test_same_bytes_again(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    make_log().write_parquet(tmp_path / "log.parquet")
    logs = [
        prepare(LogSplits(grouped(schema), open_log(tmp_path / "log.parquet")), tmp_path / name)
        for name in "ab"
    ]
    assert digests(logs[0].folder) == digests(logs[1].folder)


def test_scoring_does_not_ask_for_it(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    frame = make_log().with_columns(request=pl.col("row") // 3)
    log = prepare(LogSplits(grouped(schema, "request"), FrameSource(frame)), tmp_path / "out")
    canonical = Canonicalizer(log.manifest.log_schema, frame.drop("request").columns, labels=False)
    assert canonical.missing == ()
    assert "request" not in canonical.reads
    features = canonical.convert(frame.select(canonical.reads), Issues())
    encoded = Encoder.load(log.folder, log.manifest).encode(features)
    assert GROUP not in encoded.columns


def test_a_log_without_the_column(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    frame = make_log().with_columns(request=pl.col("row") // 3)
    splits = LogSplits(
        grouped(schema, "request"), FrameSource(frame), FrameSource(frame.drop("request"))
    )
    with pytest.raises(InputError, match="test: no column 'request'"):
        prepare(splits, tmp_path / "out")


def test_the_name_is_taken_only_with_a_group(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    roles = {**schema.model_dump(mode="json"), "categorical": ["row", GROUP]}
    frame = make_log().rename({"user": GROUP})
    log = prepare(LogSplits(LogSchema.parse(roles), FrameSource(frame)), tmp_path / "out")
    assert log.rows("test").group is None
    with_group = LogSchema.parse({**roles, "group": "shop"})
    with pytest.raises(InputError, match=f"'{GROUP}' is used by prepared data itself: rename"):
        prepare(LogSplits(with_group, FrameSource(frame)), tmp_path / "again")
