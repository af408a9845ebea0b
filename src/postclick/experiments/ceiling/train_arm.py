"""One arm of one draw: its log drawn, prepared, learnt from and judged against the true CVR."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.datasets.simulated import SimulatedLog, simulate
from postclick.errors import RunFailedError
from postclick.experiments.ceiling.arms import arm_log
from postclick.experiments.worker_pool import ForwardingReporter, Messages, StopFlag
from postclick.progress import Reporter
from postclick.runs.settings import RunSettings
from postclick.system.files import read_json, write_json
from postclick.training.train import train

VALID_FRACTION = 0.1
FIGURES = "figures.json"
# Of generators beside those that the world is drawn by.
_SPLIT, _TRAIN, _VALID = ([18, part] for part in range(3))


@dataclass(frozen=True)
class ArmTask:
    """One run.

    Attributes:
        arm: a name from `arms.ARMS`.
        settings: how it is trained; its seed is that of the draw.
        world: what `simulate` is called with, but for the seed.
    """

    arm: str
    settings: RunSettings
    world: Mapping[str, Any]

    @property
    def seed(self) -> int:
        return self.settings.seed

    @property
    def name(self) -> str:
        return f"seed {self.seed}, {self.arm}"

    def folder(self, scratch: Path) -> Path:
        return scratch / f"{self.arm}-{self.seed}"


@dataclass(frozen=True)
class ArmFigures:
    """What one arm of one draw has learnt from, and how far it got.

    Attributes:
        arm, seed: which one.
        rows, conversions: of the training split (validation rows apart), with a label of CVR.
        auc: of pCVR over all test impressions against the true CVR.
        bias: mean pCVR over mean true CVR on all test impressions, minus 1.
    """

    arm: str
    seed: int
    rows: int
    conversions: int
    auc: float
    bias: float

    @classmethod
    def read(cls, task: ArmTask, scratch: Path) -> "ArmFigures":
        return cls(**read_json(task.folder(scratch) / FIGURES))


def arm_splits(log: SimulatedLog, arm: str, seed: int) -> LogSplits:
    """The log of an arm: training and validation rows drawn alike for every arm, the same test."""
    of_split, of_train, of_valid = (
        np.random.default_rng([seed, *part]) for part in (_SPLIT, _TRAIN, _VALID)
    )
    valid = np.zeros(log.train.height, np.bool_)
    valid[of_split.permutation(valid.size)[: round(VALID_FRACTION * valid.size)]] = True
    return LogSplits(
        log.schema,
        arm_log(arm, log.train.filter(~valid), log.schema, of_train),
        log.test,
        arm_log(arm, log.train.filter(valid), log.schema, of_valid),
    )


def train_arm(task: ArmTask, scratch: Path, reporter: Reporter) -> None:
    """Train and judge; only `FIGURES` stays in the task's folder.

    Raises:
        InputError: the world has no such setting, or its log is too small to learn from.
        RunFailedError: training diverged, or a figure is undefined.
    """
    folder = task.folder(scratch)
    folder.mkdir()
    log = simulate(seed=task.seed, **task.world)
    prepared = prepare(arm_splits(log, task.arm, task.seed), folder / "data", seed=task.seed)
    run = train(prepared, task.settings, folder / "run", reporter=reporter)
    judged = run.evaluate(prepared)
    auc, bias = (judged.value(m, "entire") for m in ("true_cvr_auc", "cvr_relative_bias"))
    if auc is None or bias is None:
        raise RunFailedError(f"{task.name}: pCVR has no AUC or no bias on the test rows")
    known = prepared.manifest.splits["train"]
    found = ArmFigures(task.arm, task.seed, known.clicks, known.conversions, auc, bias)
    write_json(folder / FIGURES, asdict(found))
    shutil.rmtree(folder / "data")
    shutil.rmtree(folder / "run")


def train_arm_in_worker(task: ArmTask, scratch: Path, messages: Messages, stop: StopFlag) -> None:
    """`train_arm` in a process of a pool."""
    if not stop.is_set():
        train_arm(task, scratch, ForwardingReporter(task.name, messages, stop))
