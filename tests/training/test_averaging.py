"""The mean of weights over the last part of a run."""

from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.runs import identical, saved_weights, small_settings
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.progress import Silent
from postclick.runs.run import Run
from postclick.training.averaging import SAMPLES, WeightAverage, is_sampled
from postclick.training.loop import TrainingLoop
from postclick.training.train import train

Weights = dict[str, np.ndarray]


class Snapshots(Silent):
    """Copies of all weights after each step, by a second way to them than the mean's."""

    def __init__(self) -> None:
        self.loop: TrainingLoop | None = None
        self.taken: list[Weights] = []

    def advance(self, steps: int, note: str = "") -> None:
        if self.loop is not None and note:
            self.loop.optimizers.catch_up()
            state = self.loop.method.state_dict()
            self.taken.append({n: t.double().numpy().copy() for n, t in state.items()})


@pytest.fixture
def snapshots(monkeypatch: pytest.MonkeyPatch) -> Snapshots:
    found = Snapshots()
    begin = TrainingLoop.run

    def run(loop: TrainingLoop) -> None:
        found.loop, loop.reporter = loop, found
        begin(loop)

    monkeypatch.setattr(TrainingLoop, "run", run)
    return found


@pytest.mark.parametrize("optimizer", ["lazy_adam", "exact_adam"])
def test_a_run_ends_at_the_mean_of_its_last_weights(
    small_log: PreparedLog, tmp_path: Path, snapshots: Snapshots, optimizer: str
) -> None:
    changes = (f"optimizer={optimizer}", "average=0.4", "keep=last", "patience=null")
    train(small_log, small_settings("naive", *changes), tmp_path / "run")
    steps = len(snapshots.taken)
    epoch = small_log.steps("train", 512)
    assert steps == 2 * epoch
    last = round(0.4 * epoch)
    assert 2 <= last < epoch
    assert last < SAMPLES
    for name, weights in saved_weights(tmp_path / "run").items():
        expected = np.mean([taken[name] for taken in snapshots.taken[-last:]], axis=0)
        np.testing.assert_allclose(weights.numpy(), expected, atol=2e-6)


def test_every_epoch_is_judged_by_its_mean_and_the_next_goes_on_without(
    small_log: PreparedLog, tmp_path: Path, snapshots: Snapshots
) -> None:
    changes = ("average=1.0", "keep=best", "patience=null", "optimizer=exact_adam")
    run = train(small_log, small_settings("naive", *changes), tmp_path / "run")
    averaged, snapshots.taken = snapshots.taken, []
    raw = small_settings("naive", *changes, "average=0")
    other = train(small_log, raw, tmp_path / "raw")
    assert len(averaged) == len(snapshots.taken)
    for mine, theirs in zip(averaged, snapshots.taken, strict=True):
        for name, weights in mine.items():
            np.testing.assert_allclose(weights, theirs[name], atol=2e-5)
    assert run.history[0]["valid"] != other.history[0]["valid"]


def test_every_phase_has_a_mean_of_its_own(small_log: PreparedLog, tmp_path: Path) -> None:
    """A teacher's propensity is the mean of its phase, and stays what it was."""
    changes = ("epochs=2", "average=0.5", "keep=last", "patience=null")
    run = train(small_log, small_settings("ukd", *changes), tmp_path / "run")
    assert len({record["phase"] for record in run.history}) > 1
    assert not identical(
        saved_weights(tmp_path / "run"),
        saved_weights(
            train(small_log, small_settings("ukd", *changes, "average=0"), tmp_path / "raw").folder
        ),
    )


def test_a_mean_goes_through_a_checkpoint() -> None:
    layer = torch.nn.Linear(3, 2)
    first = WeightAverage()
    first.add(layer)
    torch.nn.init.zeros_(layer.weight)
    second = WeightAverage()
    second.load(first.tensors())
    first.add(layer)
    second.add(layer)
    assert second.count == 2
    assert identical(first.weights(layer), second.weights(layer))
    assert WeightAverage().tensors() == {}


@pytest.mark.parametrize("total", [1, 7, 200, 6400, 10_001])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 1.0])
def test_the_last_step_counts_and_none_before_the_part(total: int, part: float) -> None:
    steps = [step for step in range(1, total + 1) if is_sampled(step, total, part)]
    window = round(part * total)
    assert len(steps) <= 2 * SAMPLES
    if window:
        assert steps[-1] == total
        assert steps[0] > total - window
        assert len(steps) >= min(window, SAMPLES)


def test_a_part_is_a_share() -> None:
    with pytest.raises(InputError, match="average"):
        small_settings("naive", "average=1.5")


def test_what_is_kept_can_be_read(small_log: PreparedLog, tmp_path: Path) -> None:
    train(small_log, small_settings("naive", "average=0.5"), tmp_path / "run")
    assert Run(tmp_path / "run").settings.training.average == 0.5
