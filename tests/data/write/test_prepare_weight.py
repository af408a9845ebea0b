"""The weight column on its way through `prepare`, and what is refused of it."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from helpers.written import row_values, stored
from postclick.data.check.check_log import check_log
from postclick.data.manifest import WEIGHT, Manifest
from postclick.data.prepared import BaseRates, PreparedLog
from postclick.data.read.canonical import Canonicalizer, Issues
from postclick.data.read.log_source import FrameSource
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.errors import InputError
from postclick.judging.labels import split_labels

PLAIN = {"click": "click", "conversion": "buy", "categorical": ["row", "shop"]}


def weighted(schema: LogSchema, column: str = "stands_for") -> LogSchema:
    return LogSchema.parse({**schema.model_dump(mode="json"), "weight": column})


def with_weight(frame: pl.DataFrame, seed: int = 5) -> pl.DataFrame:
    weight = np.random.default_rng(seed).integers(0, 5, frame.height) / 2
    return frame.with_columns(stands_for=pl.Series(weight))


def test_every_row_keeps_its_weight(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    frame = with_weight(make_log())
    log = prepare(LogSplits(weighted(schema), FrameSource(frame)), tmp_path / "out", shard_rows=400)
    of_row = dict(zip(frame["row"].cast(pl.String), frame["stands_for"], strict=True))
    train = stored(log, "train")
    assert train[WEIGHT].to_list() == [of_row[row] for row in row_values(log, "train")]
    kind = pq.read_schema(log.folder / log.split("test").shards[0].file).field(WEIGHT)
    assert (str(kind.type), kind.nullable) == ("float", False)
    for name, split in Manifest.read(log.folder).splits.items():
        rows = stored(log, name)
        assert split.weight is not None
        assert split.weight.rows == rows[WEIGHT].sum()
        assert split.weight.clicks == rows.filter(pl.col("click") == 1)[WEIGHT].sum()
        assert split.weight.conversions == rows.filter(pl.col("conversion") == 1)[WEIGHT].sum()
        assert split.rows == rows.height
    labels = split_labels(log, "test")
    assert labels.weight is not None
    assert labels.weight.tolist() == stored(log, "test")[WEIGHT].to_list()


def test_a_weight_changes_nothing_else(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    """Vocabularies and scales are fitted to rows, whatever these weigh."""
    source = FrameSource(with_weight(make_log()))
    plain = prepare(LogSplits(schema, source), tmp_path / "a", negative_rate=0.5)
    log = prepare(LogSplits(weighted(schema), source), tmp_path / "b", negative_rate=0.5)
    for split in ("train", "valid", "test"):
        assert stored(log, split).drop(WEIGHT).equals(stored(plain, split))
    assert (log.manifest.ids, log.manifest.numerics) == (
        plain.manifest.ids,
        plain.manifest.numerics,
    )
    text = (plain.folder / "manifest.json").read_text()
    assert "stands_for" in (log.folder / "manifest.json").read_text()
    assert WEIGHT not in text
    assert "weight" not in plain.manifest.split("train").model_dump()
    assert plain.fingerprint != log.fingerprint


def test_files_types_and_chunks_agree(tmp_path: Path, make_log: Any) -> None:
    frame = with_weight(make_log(1200)).drop("history", "weight")
    schema = LogSchema.parse({**PLAIN, "weight": "stands_for"})
    frame[:500].write_csv(tmp_path / "a.csv")
    frame[500:].write_parquet(tmp_path / "b.parquet", row_group_size=100)
    text = frame.with_columns(pl.col("stands_for").cast(pl.String))
    sources = (
        open_log(tmp_path / "a.csv", tmp_path / "b.parquet"),
        FrameSource(frame),
        FrameSource(text),
    )
    logs = [prepare(LogSplits(schema, s), tmp_path / str(k)) for k, s in enumerate(sources)]
    manifests = [(log.folder / "manifest.json").read_bytes() for log in logs]
    assert manifests[0] == manifests[1] == manifests[2]


def test_batches_have_weights_in_units_of_their_training_mean(
    tmp_path: Path, make_log: Any, schema: LogSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FrameSource(with_weight(make_log()))
    log = prepare(LogSplits(weighted(schema), source), tmp_path / "out", shard_rows=300)
    mean = stored(log, "train")[WEIGHT].mean()
    for split in ("train", "test"):
        stored_weights = stored(log, split)[WEIGHT].to_numpy()
        found = [b.weight.numpy() for b, _, _ in log.sequential(split, 128) if b.weight is not None]
        np.testing.assert_allclose(np.concatenate(found), stored_weights / mean, rtol=1e-6)
    streamed = PreparedLog(log.folder)
    monkeypatch.setattr("postclick.data.prepared.IN_MEMORY_BYTES", 0)
    assert not streamed.fits_in_memory("train")
    pieces = [
        b.weight.numpy() for b, _, _ in streamed.sequential("train", 128) if b.weight is not None
    ]
    np.testing.assert_allclose(
        np.concatenate(pieces), stored(log, "train")[WEIGHT] / mean, rtol=1e-6
    )
    plain = prepare(LogSplits(schema, source), tmp_path / "plain")
    batch = next(iter(plain.shuffled("train", 10, 0)))
    assert batch.weight is None


@pytest.mark.parametrize("unit", [1.0, 3.0, 1e-4])
def test_base_rates_are_weighted(tmp_path: Path, make_log: Any, unit: float) -> None:
    frame = with_weight(make_log()).with_columns(pl.col("stands_for") * unit)
    log = prepare(
        LogSplits(LogSchema.parse({**PLAIN, "weight": "stands_for"}), FrameSource(frame)),
        tmp_path / "out",
        valid_fraction=0,
        test_fraction=0,
    )
    w, c, v = (frame[name].to_numpy() for name in ("stands_for", "click", "buy"))
    one = min(1.0, w.mean())
    expected = (
        ((w * c).sum() + one) / (w.sum() + 2 * one),
        ((w * v).sum() + one) / ((w * c).sum() + 2 * one),
    )
    assert (log.base_rates.ctr, log.base_rates.cvr) == pytest.approx(expected, rel=1e-6)


def test_whole_weights_have_the_base_rates_of_copies(tmp_path: Path, make_log: Any) -> None:
    frame = make_log().with_columns(stands_for=pl.Series(np.arange(3000) % 4))
    schema = LogSchema.parse({**PLAIN, "weight": "stands_for"})
    none = {"valid_fraction": 0, "test_fraction": 0}
    log = prepare(LogSplits(schema, FrameSource(frame)), tmp_path / "a", **none)
    copies = frame[np.repeat(np.arange(3000), np.arange(3000) % 4)]
    other = prepare(LogSplits(LogSchema.parse(PLAIN), FrameSource(copies)), tmp_path / "b", **none)
    assert isinstance(log.base_rates, BaseRates)
    assert log.base_rates == other.base_rates


@pytest.mark.parametrize(
    ("value", "shown"),
    [("-1", "-1"), ("inf", "inf"), ("ten", "ten"), ("1e31", "1e31"), (None, "missing")],
)
def test_what_is_no_weight_is_refused(
    tmp_path: Path, make_log: Any, value: str | None, shown: str
) -> None:
    frame = with_weight(make_log()).with_columns(
        stands_for=pl.when(pl.col("row") % 100 == 7)
        .then(pl.lit(value))
        .otherwise(pl.col("stands_for").cast(pl.String))
    )
    splits = LogSplits(LogSchema.parse({**PLAIN, "weight": "stands_for"}), FrameSource(frame))
    with pytest.raises(InputError) as error:
        prepare(splits, tmp_path / "out")
    told = str(error.value)
    assert "train: weight 'stands_for' is no number from 0 to 1e+30 in 30 of 3,000 rows" in told
    assert shown in told
    assert "write a number of 0 or more in every row" in told
    mended = frame.with_columns(
        stands_for=pl.when(pl.col("row") % 100 == 7).then(pl.lit("1")).otherwise("stands_for")
    )
    prepare(LogSplits(splits.schema, FrameSource(mended)), tmp_path / "out")


@pytest.mark.parametrize(
    ("zero", "what"),
    [
        (pl.lit(True), "rows"),
        (pl.col("click") == 1, "clicked rows"),
        (pl.col("buy") == 1, "converted rows"),
    ],
)
def test_nothing_that_weighs_something_is_refused(make_log: Any, zero: pl.Expr, what: str) -> None:
    frame = make_log().with_columns(stands_for=pl.when(zero).then(0).otherwise(2))
    schema = LogSchema.parse({**PLAIN, "weight": "stands_for"})
    (error,) = check_log(schema, FrameSource(frame)).errors
    assert (error.code, error.column) == ("no-weight", "stands_for")
    assert f"is 0 in all {what}, so that nothing can be learned from it" in error.message
    plain = FrameSource(make_log().with_columns(stands_for=1))
    warned = check_log(schema, plain, test=FrameSource(frame)).findings
    assert [f.severity for f in warned if f.code == "no-weight"] == ["warning"]


def test_what_weights_are_worth_is_told(make_log: Any) -> None:
    frame = make_log().with_columns(
        stands_for=pl.when(pl.col("click") == 1).then(1.0).otherwise(10)
    )
    schema = LogSchema.parse({**PLAIN, "weight": "stands_for"})
    (found,) = (f for f in check_log(schema, FrameSource(frame)).findings if f.code == "weights")
    w, c, v = (frame[name].to_numpy() for name in ("stands_for", "click", "buy"))
    assert found.severity == "info"
    assert f"3,000 rows stand for {w.sum():,.6g} impressions" in found.message
    assert f"CTR of {c.sum() / w.sum():.4f} and a CVR of {v.sum() / c.sum():.4f}" in found.message
    assert f"as much as {w.sum() ** 2 / (w**2).sum():,.0f} rows of equal weight" in found.message


def test_scoring_asks_for_no_weight_and_a_log_must_have_it(make_log: Any) -> None:
    schema = LogSchema.parse({**PLAIN, "weight": "stands_for"})
    canonical = Canonicalizer(schema, ["row", "shop"], labels=False)
    assert canonical.missing == ()
    frame = canonical.convert(make_log().select("row", "shop"), Issues())
    assert frame.columns == ["row", "shop"]
    report = check_log(schema, FrameSource(make_log()))
    assert [(f.code, f.column) for f in report.errors] == [("missing-column", "stands_for")]


def test_a_feature_may_be_called_sample_weight_without_a_weight(
    tmp_path: Path, make_log: Any
) -> None:
    frame = make_log().rename({"user": WEIGHT})
    schema = LogSchema.parse({**PLAIN, "categorical": ["row", WEIGHT]})
    log = prepare(LogSplits(schema, FrameSource(frame)), tmp_path / "out")
    assert [column.name for column in log.manifest.ids] == ["row", WEIGHT]
    assert next(iter(log.shuffled("train", 10, 0))).weight is None
    clash = LogSchema.parse({**PLAIN, "categorical": ["row", WEIGHT], "weight": "click_weight"})
    with pytest.raises(InputError, match="feature name 'sample_weight' is used by prepared data"):
        prepare(LogSplits(clash, FrameSource(frame)), tmp_path / "other")
