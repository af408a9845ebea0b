"""Comparisons that no training was needed for."""

from pathlib import Path

import pytest

from helpers.comparison import HOSTILE, write_comparison
from postclick import prepare
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import Truth
from postclick.data.splits import LogSplits
from postclick.datasets.simulated import SimulatedLog
from postclick.experiments.comparison.plan import Arm


@pytest.fixture(scope="session")
def recorded_log(small_raw: SimulatedLog, tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    """The small log without its truth."""
    schema = small_raw.schema.model_copy(update={"truth": Truth()})
    train, test = (
        FrameSource(frame.drop(small_raw.schema.truth.columns()))
        for frame in (small_raw.train, small_raw.test)
    )
    return prepare(LogSplits(schema, train, test), tmp_path_factory.mktemp("recorded") / "data")


@pytest.fixture(scope="session")
def with_truth(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four methods and a hostile name, three seeds, two protocols, known truth."""
    folder = tmp_path_factory.mktemp("with_truth")
    arms = ["naive", "esmm", "escm2_ipw", "choruscvr", Arm(HOSTILE, "esmm", ("training.lr=0.003",))]
    write_comparison(folder, small_log, arms, 3, tuned=True)
    return folder


@pytest.fixture(scope="session")
def without_truth(recorded_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods, one seed, one protocol, recorded labels only; no studies of calibration."""
    folder = tmp_path_factory.mktemp("without_truth")
    write_comparison(folder, recorded_log, ["esmm", "escm2_ipw"], 1, tuned=False, studied=False)
    return folder
