"""A run, the log that it was trained on, and a raw log of another day."""

import polars as pl
import pytest

from helpers.raw_logs import SCHEMA, log_of
from helpers.runs import small_settings
from postclick import prepare, train
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.judging.judge import Judgement
from postclick.runs.run import Run


@pytest.fixture(scope="session")
def later() -> pl.DataFrame:
    return log_of(1_500, 1)


@pytest.fixture(scope="session")
def log(later: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    splits = LogSplits(SCHEMA, FrameSource(log_of(3_000, 0)), FrameSource(later))
    return prepare(splits, tmp_path_factory.mktemp("raw") / "data", shard_rows=400)


@pytest.fixture(scope="session")
def run(log: PreparedLog) -> Run:
    settings = small_settings("escm2_ipw", "epochs=1", "eval_batch_size=500")
    return train(log, settings, log.folder.parent / "run")


@pytest.fixture(scope="session")
def prepared(run: Run, log: PreparedLog) -> Judgement:
    return run.evaluate(log, "test")
