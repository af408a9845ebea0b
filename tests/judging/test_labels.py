from pathlib import Path

import numpy as np
import polars as pl
import pytest

from postclick import prepare
from postclick.data import prepared
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.datasets.simulated import SimulatedLog
from postclick.errors import InputError
from postclick.judging.labels import split_labels


@pytest.mark.parametrize("split", ["train", "valid", "test"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_rows_come_in_the_order_in_which_they_are_judged(
    small_log: PreparedLog, split: str, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_memory:
        monkeypatch.setattr(prepared, "IN_MEMORY_BYTES", 0)
    log = PreparedLog(small_log.folder)
    labels = split_labels(log, split)
    click, conversion = [], []
    truth: dict[str, list[float]] = {name: [] for name in labels.truth}
    for batch, window, rows in log.sequential(split, 400):
        click += batch.click.tolist()
        conversion += batch.conversion.tolist()
        assert window.truth.keys() == truth.keys()
        for name, values in truth.items():
            values += window.truth[name][rows.numpy()].tolist()
    assert labels.click.dtype == labels.conversion.dtype == np.bool_
    assert labels.click.tolist() == click and labels.conversion.tolist() == conversion
    for name, values in truth.items():
        assert labels.truth[name].dtype == np.float32
        assert labels.truth[name].tolist() == values
    found = log.split(split)
    assert len(found.shards) > 1 or split == "valid"
    assert (labels.click.size, labels.click.sum()) == (found.rows, found.clicks)
    assert labels.conversion.sum() == found.conversions


def small_copy(raw: SimulatedLog, folder: Path, unknown: tuple[str, ...]) -> PreparedLog:
    nulls = [pl.lit(None, pl.Float64).alias(name) for name in unknown]
    train, test = (FrameSource(f.with_columns(nulls)) for f in (raw.train, raw.test))
    return prepare(LogSplits(raw.schema, train, test), folder, shard_rows=1_500)


def test_truth_is_what_the_split_has(small_raw: SimulatedLog, tmp_path: Path) -> None:
    log = small_copy(small_raw, tmp_path / "data", ("true_ctr", "true_cvr"))
    labels = split_labels(log, "test")
    assert labels.truth.keys() == {"potential_conversion"}
    potential = labels.truth["potential_conversion"] == 1
    assert (labels.conversion == (labels.click & potential)).all()


def test_bad_logs_are_refused(small_raw: SimulatedLog, tmp_path: Path) -> None:
    log = small_copy(small_raw, tmp_path / "data", ())
    with pytest.raises(InputError, match="no split 'all'"):
        split_labels(log, "all")
    shard = log.folder / log.split("test").shards[0].file
    pl.read_parquet(shard).drop("click").write_parquet(shard)
    with pytest.raises(InputError, match="missing or damaged"):
        split_labels(log, "test")
    shard.unlink()
    with pytest.raises(InputError, match="missing or damaged"):
        split_labels(log, "test")
