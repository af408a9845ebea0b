"""A log, its schema, a prepared log and a run, as commands make them."""

from pathlib import Path

import pytest

from helpers.commands import SETS, succeed, write_own_log
from postclick.datasets.simulated import SimulatedLog


@pytest.fixture(scope="session")
def place(small_raw: SimulatedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.csv, test.csv and schema.yaml, and a prepared log and a run of it."""
    folder = tmp_path_factory.mktemp("cli")
    write_own_log(folder, small_raw)
    logs = ["--train", folder / "train.csv", "--test", folder / "test.csv"]
    succeed("prepare", "--schema", folder / "schema.yaml", *logs, "--out", folder / "data")
    run_ = ["--method", "choruscvr", "--seed", "0", "--out", folder / "run"]
    succeed("train", folder / "data", *run_, *SETS)
    return folder
