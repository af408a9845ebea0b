import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from postclick.data import checks, file_source, log_source, shuffle
from postclick.data import prepare as prepare_module
from postclick.data.canonical import Canonicalizer, Issues
from postclick.data.encoder import Encoder
from postclick.data.manifest import Manifest
from postclick.data.prepare import prepare
from postclick.data.prepared import PreparedLog
from postclick.data.schema import LogSchema
from postclick.data.source import FrameSource, LogSource, open_log
from postclick.data.vocabulary import FOLDER, Vocabulary
from postclick.datasets.base import LogSplits
from postclick.errors import InputError


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def stored(log: PreparedLog, split: str) -> pl.DataFrame:
    """The rows of a split as they are on disk."""
    files = [log.folder / shard.file for shard in log.split(split).shards]
    return pl.concat([pl.read_parquet(f) for f in files])


def row_values(log: PreparedLog, split: str) -> list[str]:
    """The values of the `row` feature, which names each row, in stored order."""
    values = Vocabulary.load(log.folder / FOLDER, "row").table["value"].to_list()
    return [values[k - 1] for k in stored(log, split)["row"].to_list()]


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
    assert {"manifest.json", "request.json", f"{FOLDER}/shop.parquet"} <= files
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
    known = Vocabulary.load(log.folder / FOLDER, "history").encode(pl.Series(["1"]))[0]
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
        monkeypatch.setattr(log_source, "CHUNK_ROWS", rows)
        monkeypatch.setattr(shuffle, "PORTION_BYTES", 10_000 if k else 1 << 30)
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
    monkeypatch.setattr(checks, "PIECE_BYTES", 5000)
    monkeypatch.setattr(file_source, "CHUNK_BYTES", 20_000)
    log = open_log(tmp_path / "log.parquet")
    assert len(list(log.frames(["row"]))) > 3
    cut = prepare(LogSplits(plain, log), tmp_path / "cut")
    assert stored(cut, "train").equals(stored(whole, "train"))
    monkeypatch.setattr(shuffle, "SHARD_BYTES", 50_000)
    small = prepare(LogSplits(plain, log), tmp_path / "small")
    assert len(small.split("train").shards) > 1
    assert stored(small, "train").equals(stored(whole, "train"))


def test_more_buckets_than_may_be_open(
    tmp_path: Path, make_log: Any, schema: LogSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = LogSplits(schema, FrameSource(make_log()))
    whole = prepare(splits, tmp_path / "a", shard_rows=100)
    monkeypatch.setattr(shuffle, "MAX_OPEN_BUCKETS", 4)
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
    known = Vocabulary.load(log.folder / FOLDER, "row").table["value"].to_list()
    assert len(known) == log.split("train").rows
    for name in ("valid", "test"):
        assert stored(log, name)["row"].unique().to_list() == [0]
    used = make_log().filter(pl.col("row").cast(pl.String).is_in(known))
    price = next(c for c in log.manifest.numerics if c.name == "price")
    assert price.mean == pytest.approx(used["price"].mean())
    assert price.std == pytest.approx(used["price"].std(ddof=0))
    counts = Vocabulary.load(log.folder / FOLDER, "user").table["count"].sum()
    assert counts == used.height


def test_truth_without_values_is_no_truth(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    train = make_log().with_columns(p_click=pl.lit(None, pl.Float64))
    test = make_log(500, seed=1)
    log = prepare(LogSplits(schema, FrameSource(train), FrameSource(test)), tmp_path / "out")
    assert {k: s.truth for k, s in log.manifest.splits.items()} == {
        "train": (),
        "valid": (),
        "test": ("true_ctr",),
    }
    assert "true_ctr" not in stored(log, "train").columns
    found = [f for f in log.manifest.findings if f["column"] == "p_click"]
    assert [(f["code"], f["severity"]) for f in found] == [("no-truth-column", "info")]
    some = test.with_columns(p_click=pl.when(pl.col("row") > 9).then("p_click"))
    log = prepare(LogSplits(schema, FrameSource(some)), tmp_path / "some", test_fraction=0)
    values = np.concatenate([log.rows(name).truth["true_ctr"] for name in ("train", "valid")])
    assert np.isnan(values).sum() == 10


def test_no_split_is_drawn_where_none_is_wanted(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    splits = LogSplits(schema, FrameSource(make_log()))
    log = prepare(splits, tmp_path / "out", valid_fraction=0, test_fraction=0)
    assert list(log.manifest.splits) == ["train"]
    assert sorted(map(int, row_values(log, "train"))) == list(range(3000))


def bad_rows(make_log: Any) -> pl.DataFrame:
    at = pl.int_range(3000)
    frame: pl.DataFrame = make_log().with_columns(
        click=pl.when(at < 5).then(0).when(at == 7).then(None).otherwise("click"),
        buy=pl.when(at < 5).then(1).when(at == 7).then(0).otherwise("buy"),
    )
    return frame


def test_bad_rows(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    frame = bad_rows(make_log)
    splits = LogSplits(schema, FrameSource(frame))
    with pytest.raises(InputError, match=r"1 of 3,000 rows.*conversion-without-click") as caught:
        prepare(splits, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    dropped = prepare(splits, tmp_path / "drop", on_bad_rows="drop")
    assert sum(s.rows for s in dropped.manifest.splits.values()) == 2994
    assert {f["code"] for f in dropped.manifest.findings} >= {
        "conversion-without-click",
        "label-not-binary",
    }
    with pytest.raises(InputError, match="label 'click' is not 0 or 1"):
        prepare(splits, tmp_path / "keep", on_bad_rows="keep")
    whole = LogSplits(schema, FrameSource(frame.filter(pl.col("click").is_not_null())))
    kept = prepare(whole, tmp_path / "keep", on_bad_rows="keep", valid_fraction=0, test_fraction=0)
    rows = stored(kept, "train")
    assert rows.height == 2999
    assert int((rows["conversion"] > rows["click"]).sum()) == 0
    assert rows["conversion"].sum() == frame["buy"].sum() - 5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"valid_fraction": 1.0}, "valid_fraction is 1.0"),
        ({"test_fraction": -0.1}, "test_fraction is -0.1"),
        ({"test_fraction": 0.5, "valid_fraction": 0.5}, "leave no row"),
        ({"shard_rows": 0}, "shard_rows is 0"),
        ({"on_bad_rows": "ignore"}, "on_bad_rows is 'ignore'"),
    ],
)
def test_wrong_options(
    tmp_path: Path, make_log: Any, schema: LogSchema, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        prepare(LogSplits(schema, FrameSource(make_log(10))), tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_reserved_feature_name(tmp_path: Path, make_log: Any) -> None:
    schema = LogSchema.parse({"click": "c", "conversion": "buy", "categorical": ["click"]})
    frame = make_log().with_columns(c=pl.col("click"))
    with pytest.raises(InputError, match="'click' is used by prepared data itself: rename"):
        prepare(LogSplits(schema, FrameSource(frame)), tmp_path / "out")


def test_a_missing_column(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    splits = LogSplits(schema, FrameSource(make_log()), FrameSource(make_log().drop("user")))
    with pytest.raises(InputError, match="test: no column 'user'"):
        prepare(splits, tmp_path / "out")


def test_the_same_request_is_answered_from_disk(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    make_log().write_parquet(tmp_path / "log.parquet")
    splits = LogSplits(schema, open_log(tmp_path / "log.parquet"))
    out = tmp_path / "out"
    out.mkdir()  # an empty folder is not in the way
    first = prepare(splits, out)
    made = (out / "manifest.json").stat().st_mtime_ns
    stages: list[str] = []
    again = prepare(splits, out, progress=lambda stage, done, total: stages.append(stage))
    assert again.fingerprint == first.fingerprint
    assert stages == []
    assert (out / "manifest.json").stat().st_mtime_ns == made
    with pytest.raises(InputError, match="another request: choose another folder"):
        prepare(splits, out, seed=1)
    make_log(2999).write_parquet(tmp_path / "log.parquet")
    with pytest.raises(InputError, match="another request"):
        prepare(LogSplits(schema, open_log(tmp_path / "log.parquet")), out)


def test_other_things_in_the_way(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    splits = LogSplits(schema, FrameSource(make_log()))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        prepare(splits, tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        prepare(splits, tmp_path / "full")
    assert (tmp_path / "full" / "thing").read_text() == "mine"


def test_a_log_that_cannot_tell_its_state_is_never_assumed_unchanged(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    class Odd(FrameSource):
        def state(self) -> None:  # type: ignore[override]
            return None

    splits = LogSplits(schema, Odd(make_log()))
    prepare(splits, tmp_path / "out")
    with pytest.raises(InputError, match="another request"):
        prepare(splits, tmp_path / "out")


def test_progress(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    told: list[tuple[str, int, int | None]] = []
    splits = LogSplits(schema, FrameSource(make_log()), FrameSource(make_log(500, seed=1)))
    prepare(splits, tmp_path / "out", progress=lambda *step: told.append(step), shard_rows=1000)
    assert told[:2] == [("read", 3000, None), ("read", 3500, None)]
    writes = [step for step in told if step[0] == "write"]
    assert writes[-1] == ("write", 3500, 3500)
    assert [done for _, done, _ in writes] == sorted(done for _, done, _ in writes)


@pytest.mark.parametrize("stage", ["read", "write"])
def test_an_exception_leaves_nothing(
    tmp_path: Path, make_log: Any, schema: LogSchema, stage: str
) -> None:
    def stop(now: str, done: int, total: int | None) -> None:
        if now == stage:
            raise RuntimeError("stopped")

    splits = LogSplits(schema, FrameSource(make_log()))
    with pytest.raises(RuntimeError, match="stopped"):
        prepare(splits, tmp_path / "out", progress=stop)
    assert list(tmp_path.iterdir()) == []
    assert prepare(splits, tmp_path / "out").split("train").rows > 0


KILLED = """
import os, signal, sys
from postclick.data.prepare import prepare
from postclick.data.schema import LogSchema
from postclick.data.source import open_log
from postclick.datasets.base import LogSplits

def stop(stage, done, total):
    if stage == sys.argv[4]:
        os.kill(os.getpid(), signal.SIGKILL)

splits = LogSplits(LogSchema.load(sys.argv[1]), open_log(sys.argv[2]))
prepare(splits, sys.argv[3], progress=stop)
"""


@pytest.mark.parametrize("stage", ["read", "write"])
def test_a_killed_run_leaves_no_log_and_the_next_one_cleans_up(
    tmp_path: Path, make_log: Any, schema: LogSchema, stage: str
) -> None:
    (tmp_path / "schema.yaml").write_text(schema.to_yaml())
    make_log().write_parquet(tmp_path / "log.parquet")
    names = [str(tmp_path / n) for n in ("schema.yaml", "log.parquet", "out")]
    root = Path(prepare_module.__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", KILLED, *names, stage],
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    assert run.returncode == -signal.SIGKILL
    left = [p for p in tmp_path.iterdir() if ".tmp-" in p.name]
    assert len(left) == 1
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="is not a prepared log"):
        PreparedLog(left[0])
    running = tmp_path / f".out.tmp-{socket.gethostname()}-{os.getppid()}"
    running.mkdir()  # of a process that lives: not to be touched
    log = prepare(LogSplits(schema, open_log(tmp_path / "log.parquet")), tmp_path / "out")
    assert not left[0].exists()
    assert running.exists()
    assert log.split("train").rows > 0


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
