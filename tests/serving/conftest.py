"""A bundle of a log with every kind of column."""

from pathlib import Path

import polars as pl
import pytest

from helpers.mixed_log import MIXED, mixed_log
from helpers.runs import small_settings
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.runs.run import Run
from postclick.serving.bundle.bundle import Bundle


@pytest.fixture(scope="session")
def mixed_raw() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train and test; the test log has values that train has not."""
    test = mixed_log(1_200, seed=1)
    unseen = pl.when(pl.int_range(pl.len()) % 7 == 0).then(pl.col("user") + 1_000)
    return mixed_log(), test.with_columns(unseen.otherwise("user").alias("user"))


@pytest.fixture(scope="session")
def mixed_data(
    mixed_raw: tuple[pl.DataFrame, pl.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> PreparedLog:
    from postclick import prepare

    train, test = (FrameSource(frame) for frame in mixed_raw)
    out = tmp_path_factory.mktemp("mixed") / "data"
    return prepare(LogSplits(LogSchema.parse(MIXED), train, test), out, shard_rows=500)


@pytest.fixture(scope="session")
def mixed_run(mixed_data: PreparedLog) -> Run:
    from postclick import train

    run = train(mixed_data, small_settings("esmm"), mixed_data.folder.parent / "run")
    run.evaluate(mixed_data, keep_predictions=True)
    return run


@pytest.fixture(scope="session")
def mixed_folder(mixed_run: Run) -> Path:
    """A bundle's folder; tests that change it work on a copy."""
    from postclick import export

    return export(mixed_run, mixed_run.folder.parent / "bundle").folder


@pytest.fixture(scope="session")
def mixed_bundle(mixed_folder: Path) -> Bundle:
    return Bundle.open(mixed_folder, threads=2)
