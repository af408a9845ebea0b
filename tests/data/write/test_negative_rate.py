"""Down-sampled negatives: which rows stay, and what the manifest says of it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.manifest import FILE_NAME, VOCABULARIES, Manifest
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.errors import InputError


def rows_of(log: PreparedLog, split: str) -> pl.DataFrame:
    """Labels of a split and the raw `row` of each of its rows; ids differ between logs."""
    frames = [pl.read_parquet(log.folder / shard.file) for shard in log.split(split).shards]
    table = Vocabulary.load(log.folder / VOCABULARIES, "row").table
    names = pl.DataFrame({"row": table["id"], "raw": table["value"]})
    return pl.concat(frames).select("row", "click").join(names, on="row", how="left")


def test_only_unclicked_training_rows_are_left_out(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    frame = make_log(6000)
    splits = LogSplits(schema, FrameSource(frame))
    full = prepare(splits, tmp_path / "full")
    part = prepare(splits, tmp_path / "part", negative_rate=0.3)
    before, after = rows_of(full, "train"), rows_of(part, "train")
    assert set(after["raw"]) < set(before["raw"])
    clicked = [set(rows.filter(pl.col("click") == 1)["raw"]) for rows in (before, after)]
    assert clicked[0] == clicked[1]
    unclicked = before.height - full.split("train").clicks
    left = part.split("train").rows - part.split("train").clicks
    # Five standard deviations of a binomial.
    assert abs(left - 0.3 * unclicked) < 5 * math.sqrt(unclicked * 0.3 * 0.7)
    for split in ("valid", "test"):
        whole, same = full.split(split), part.split(split)
        assert (whole.rows, whole.clicks, whole.conversions) == (
            same.rows,
            same.clicks,
            same.conversions,
        )
    assert part.base_rates.ctr == pytest.approx(
        (part.split("train").clicks + 1) / (part.split("train").rows + 2)
    )
    assert part.base_rates.cvr == full.base_rates.cvr


def test_a_lower_rate_keeps_some_of_the_same_rows(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    splits = LogSplits(schema, FrameSource(make_log()))
    kept = [
        set(rows_of(prepare(splits, tmp_path / str(rate), negative_rate=rate), "train")["raw"])
        for rate in (0.1, 0.4)
    ]
    assert kept[0] < kept[1]


def test_nothing_is_fitted_on_rows_that_were_left_out(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    log = prepare(LogSplits(schema, FrameSource(make_log())), tmp_path / "a", negative_rate=0.2)
    table = Vocabulary.load(log.folder / VOCABULARIES, "row").table
    assert table.height == table["count"].sum() == log.split("train").rows


@pytest.mark.parametrize("chunk", [97, 1000])
def test_chunks_do_not_change_the_sample(
    tmp_path: Path,
    make_log: Any,
    schema: LogSchema,
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
) -> None:
    make_log().write_parquet(tmp_path / "log.parquet", row_group_size=500)
    splits = LogSplits(schema, open_log(tmp_path / "log.parquet"))
    usual = prepare(splits, tmp_path / "usual", seed=5, negative_rate=0.25)
    monkeypatch.setattr(
        "postclick.data.read.reader.in_pieces", lambda frame, lists: frame.iter_slices(chunk)
    )
    cut = prepare(splits, tmp_path / "cut", seed=5, negative_rate=0.25)
    assert cut.fingerprint == usual.fingerprint
    other = prepare(splits, tmp_path / "other", seed=6, negative_rate=0.25)
    assert other.fingerprint != usual.fingerprint


def test_the_manifest_tells_rows_before_and_after(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    frame = make_log(4000)
    splits = LogSplits(schema, FrameSource(frame))
    full = prepare(splits, tmp_path / "full")
    log = prepare(splits, tmp_path / "part", negative_rate=0.5)
    manifest = Manifest.read(log.folder)
    assert manifest.negative_rate == 0.5
    found = next(f for f in manifest.findings if f["code"] == "negatives-sampled")
    assert found["severity"] == "info"
    assert found["rows"] == full.split("train").rows - log.split("train").rows
    assert f"before, it had {full.split('train').rows:,} rows" in found["message"]
    assert f"now {log.split('train').rows:,}" in found["message"]
    assert sum(shard.rows for shard in log.split("train").shards) == log.split("train").rows


def test_a_manifest_from_before_has_all_rows(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    log = prepare(LogSplits(schema, FrameSource(make_log())), tmp_path / "a")
    assert not any(f["code"] == "negatives-sampled" for f in log.manifest.findings)
    data = json.loads((log.folder / FILE_NAME).read_text())
    for name in ("negative_rate", "vocabularies", "checksum"):
        del data[name]
    (log.folder / FILE_NAME).write_text(json.dumps(data))
    assert PreparedLog(log.folder).manifest.negative_rate == 1.0


def test_another_rate_is_another_request_and_another_log(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    make_log().write_parquet(tmp_path / "log.parquet")
    splits = LogSplits(schema, open_log(tmp_path / "log.parquet"))
    first = prepare(splits, tmp_path / "a", negative_rate=0.5)
    assert prepare(splits, tmp_path / "a", negative_rate=0.5).fingerprint == first.fingerprint
    with pytest.raises(InputError, match="holds a prepared log of another request"):
        prepare(splits, tmp_path / "a")
    # So near to 1 that no row is left out: predictions are corrected all the same.
    nearly, full = (
        prepare(splits, tmp_path / name, negative_rate=rate)
        for name, rate in (("b", 1 - 1e-12), ("c", 1.0))
    )
    assert nearly.split("train").rows == full.split("train").rows
    assert nearly.fingerprint != full.fingerprint


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.5, float("nan")])
def test_a_rate_out_of_range_is_refused(
    tmp_path: Path, make_log: Any, schema: LogSchema, rate: float
) -> None:
    with pytest.raises(InputError, match=f"negative_rate is {rate}: give the share"):
        prepare(LogSplits(schema, FrameSource(make_log())), tmp_path / "a", negative_rate=rate)
    assert not (tmp_path / "a").exists()


def test_a_rate_that_leaves_nothing_is_refused(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    message = r"negative_rate 1e-09 left none of 1,\d+ training rows without a click: give a higher"
    with pytest.raises(InputError, match=message):
        prepare(LogSplits(schema, FrameSource(make_log())), tmp_path / "a", negative_rate=1e-9)


def test_bad_labels_are_still_found(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    rng = np.random.default_rng(0)
    frame = make_log().with_columns(click=pl.Series(rng.choice([0, 1, 2], 3000)))
    with pytest.raises(InputError, match="label 'click' is not 0 or 1"):
        prepare(LogSplits(schema, FrameSource(frame)), tmp_path / "a", negative_rate=0.3)
