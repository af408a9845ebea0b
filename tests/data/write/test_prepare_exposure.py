"""The exposure on its way through `prepare`, and what is refused of it."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from helpers.written import row_values, stored
from postclick.data.encode.encoder import Encoder
from postclick.data.exposure_values import exposure_values
from postclick.data.manifest import WEIGHT
from postclick.data.read.canonical import Canonicalizer, Issues
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.errors import InputError


def exposed(schema: LogSchema, exposure: object = "slot", **other: Any) -> LogSchema:
    return LogSchema.parse({**schema.model_dump(mode="json"), **other, "exposure": exposure})


def with_slot(frame: pl.DataFrame, seed: int = 5) -> pl.DataFrame:
    rng, places = np.random.default_rng(seed), ["top", "7", "side"]
    slots = rng.choice(places, frame.height, p=[0.2, 0.5, 0.3])
    missing = np.arange(frame.height) % 10 == 3
    weight = rng.integers(1, 5, frame.height) / 2
    slot = pl.Series(slots).set(pl.Series(missing), None)
    return frame.with_columns(slot=slot, stands_for=pl.Series(weight))


def test_every_row_keeps_its_exposure(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    frame = with_slot(make_log())
    log = prepare(LogSplits(exposed(schema), FrameSource(frame)), tmp_path / "out", shard_rows=400)
    known = pl.read_parquet(log.folder / "vocabularies" / "slot.parquet")
    number = dict(zip(known["value"], known["id"], strict=True)) | {None: 0}
    of_row = dict(zip(frame["row"].cast(pl.String), frame["slot"], strict=True))
    expected = [number[of_row[row]] for row in row_values(log, "train")]
    assert stored(log, "train")["slot"].to_list() == expected
    found = pl.concat([stored(log, split)["slot"] for split in ("train", "valid", "test")])
    assert found.sort().to_list() == sorted(number[slot] for slot in frame["slot"])
    rows = log.rows("test")
    assert rows.exposure is not None
    assert rows.exposure.tolist() == stored(log, "test")["slot"].to_list()
    batch = rows.take(torch.tensor([5, 2]))
    assert batch.exposure is not None
    assert batch.exposure.tolist() == [int(rows.exposure[5]), int(rows.exposure[2])]
    assert batch.ids.shape[1] == len(log.manifest.ids)
    assert "slot" not in [c.name for c in log.manifest.ids]


@pytest.mark.parametrize("weight", [None, "stands_for"])
def test_counts_are_those_of_the_training_rows(
    tmp_path: Path, make_log: Any, schema: LogSchema, weight: str | None
) -> None:
    source = FrameSource(with_slot(make_log()))
    roles = exposed(schema, {"column": "slot", "at": "7.0"}, weight=weight)
    log = prepare(LogSplits(roles, source), tmp_path / "out", negative_rate=0.4)
    column, rows = log.manifest.exposure, stored(log, "train")
    assert column is not None
    assert (column.name, column.size, column.at) == ("slot", 4, 1)
    of_row = rows[WEIGHT] if weight else pl.Series([1.0] * rows.height)
    shown, values = np.zeros(4), log.inputs.exposure
    for k in range(4):
        mask = rows["slot"] == k
        clicked = mask & (rows["click"] == 1)
        assert column.rows[k] == pytest.approx(of_row.filter(mask).sum())
        assert column.clicks[k] == pytest.approx(of_row.filter(clicked).sum())
        shown[k] = column.clicks[k] + (column.rows[k] - column.clicks[k]) / 0.4
    assert values is not None
    assert values.shares == pytest.approx((shown / shown.sum()).tolist())
    assert values.at == 1


def test_an_exposure_changes_nothing_else(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    source = FrameSource(with_slot(make_log()))
    plain = prepare(LogSplits(schema, source), tmp_path / "a", negative_rate=0.5)
    log = prepare(LogSplits(exposed(schema), source), tmp_path / "b", negative_rate=0.5)
    for split in ("train", "valid", "test"):
        assert stored(log, split).drop("slot").equals(stored(plain, split))
    assert (log.manifest.ids, log.manifest.numerics) == (
        plain.manifest.ids,
        plain.manifest.numerics,
    )
    assert "exposure" not in (plain.folder / "manifest.json").read_text()
    assert plain.inputs.exposure is None
    assert plain.rows("test").exposure is None
    assert plain.fingerprint != log.fingerprint


def test_log_odds_are_smoothed_and_0_for_what_was_not_seen() -> None:
    from postclick.data.manifest import ExposureColumn

    column = ExposureColumn(
        name="slot", size=4, rows=(0, 1000, 10, 1), clicks=(0, 100, 10, 0), at=None
    )
    values = exposure_values(column, 1.0, 0.1)
    odds = 1 / 9
    expected = [(101 / 909) / odds, (11 / 9) / odds, (1 / 10) / odds]
    assert values.log_odds == pytest.approx([0.0, *np.log(expected)])
    assert values.shares == pytest.approx(np.array([0, 1000, 10, 1]) / 1011)


def test_rows_to_be_scored_need_no_exposure(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    frame = with_slot(make_log())
    log = prepare(LogSplits(exposed(schema), FrameSource(frame)), tmp_path / "out")
    encoder = Encoder.load(log.folder, log.manifest)
    bare = frame.drop("slot", "click", "buy")
    canonical = Canonicalizer(log.manifest.log_schema, bare.columns, labels=False)
    assert canonical.missing == ()
    assert "slot" not in encoder.encode(canonical.convert(bare, Issues()))
    labelled = Canonicalizer(log.manifest.log_schema, frame.columns)
    found = encoder.encode(labelled.convert(frame.head(20), Issues()))["slot"]
    assert found.n_unique() == 4


def test_an_unknown_value_is_refused_with_those_there_are(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    source = FrameSource(with_slot(make_log()))
    roles = exposed(schema, {"column": "slot", "at": "tip"})
    with pytest.raises(InputError) as refused:
        prepare(LogSplits(roles, source), tmp_path / "out")
    assert str(refused.value) == (
        "exposure at 'tip': the training rows have no such value of 'slot' (did you mean 'top'?): "
        "give one of 7, side, top, or average"
    )
    assert not (tmp_path / "out").exists()
    prepare(LogSplits(exposed(schema, {"column": "slot", "at": "top"}), source), tmp_path / "out")


def test_a_log_without_the_column_is_refused(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    with pytest.raises(InputError, match="no column 'slot'"):
        prepare(LogSplits(exposed(schema), FrameSource(make_log())), tmp_path / "out")
