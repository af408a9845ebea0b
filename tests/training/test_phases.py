"""Phases: each trains its own parameters, with its share of the epochs and fresh moments."""

from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.phased import Phased
from helpers.runs import identical
from postclick.data.prepared import PreparedLog
from postclick.methods.base import MethodConfig
from postclick.nn.config import NetworkConfig
from postclick.progress import Silent
from postclick.runs.training_config import TrainingConfig
from postclick.system.process import training_process
from postclick.training.checkpoint import load_checkpoint
from postclick.training.loop import TrainingLoop

Weights = dict[str, torch.Tensor]


def make(log: PreparedLog) -> Phased:
    torch.manual_seed(0)
    network = NetworkConfig(backbone="share_bottom", bottom=(8,), tower=(8,))
    return Phased(MethodConfig(), network, log.inputs, log.base_rates, 4)


def copy(method: Phased) -> Weights:
    return {name: tensor.clone() for name, tensor in method.state_dict().items()}


class Stopped(Exception):
    """Stands for a kill."""


def train(
    log: PreparedLog, path: Path, config: TrainingConfig, stop_after: int | None = None
) -> tuple[list[dict[str, Any]], list[Weights], Phased]:
    """Records and weights after each epoch; with `stop_after` the run is left there."""
    method, records, weights = make(log), list[dict[str, Any]](), list[Weights]()

    def record(entry: dict[str, Any]) -> None:
        if entry["epoch"] - 1 == stop_after:
            raise Stopped
        records.append(entry)
        weights.append(copy(method))

    with training_process(1):
        loop = TrainingLoop(method, log, config, 0, path, Silent(), record)
        try:
            loop.run()
        except Stopped:
            assert stop_after is not None
    return records, weights, method


MODES = pytest.mark.parametrize("whole", ["lazy_adam", "exact_adam"], indirect=True)
Whole = tuple[str, list[dict[str, Any]], list[Weights], Phased]


def config(mode: str, **changes: Any) -> TrainingConfig:
    fixed = {"optimizer": mode, "epochs": 4, "batch_size": 512, "patience": None, "lr": 0.01}
    return TrainingConfig.model_validate({**fixed, **changes})


@pytest.fixture(scope="module")
def whole(
    request: pytest.FixtureRequest, small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory
) -> Whole:
    """A run without interruption: its mode, records and weights after each epoch."""
    path = tmp_path_factory.mktemp("whole") / "c"
    return request.param, *train(small_log, path, config(request.param))


@MODES
def test_parameters_outside_the_phase_do_not_move(small_log: PreparedLog, whole: Whole) -> None:
    start = copy(make(small_log))
    _, records, weights, _ = whole
    assert [record["phase"] for record in records] == ["first", "first", "second", "second"]
    first, second = Phased.trained_in
    for name in start:
        moved = [
            not torch.equal(a[name], b[name])
            for a, b in zip([start, *weights], weights, strict=False)
        ]
        in_first, in_second = name.startswith(first), name.startswith(second)
        assert moved == [in_first, in_first, in_second, in_second], name


def test_gradients_that_a_phase_does_not_use_do_not_pile_up(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table's gradient is sparse: summed over a phase it would grow with every batch."""
    sizes = []
    real = TrainingLoop._step

    def step(loop: TrainingLoop, *arguments: Any, again: bool) -> float:
        total = real(loop, *arguments, again=again)
        gradient = loop.method.embedding.table.grad
        if loop.phase.name == "second" and gradient is not None:
            sizes.append(gradient._nnz())
        return total

    monkeypatch.setattr(TrainingLoop, "_step", step)
    train(small_log, tmp_path / "c", config("lazy_adam", epochs=2))
    assert len(sizes) == small_log.steps("train", 512)
    assert max(sizes) == 512 * len(small_log.inputs.field_sizes)


@MODES
def test_only_the_last_phase_is_judged_for_the_best_epoch(whole: Whole) -> None:
    _, records, weights, method = whole
    assert [record["best"] for record in records[:3]] == [False, False, True]
    best = max(k for k, record in enumerate(records) if record["best"])
    assert identical(copy(method), weights[best])


@MODES
@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_run_stopped_in_or_between_phases_goes_on_the_same(
    small_log: PreparedLog, tmp_path: Path, whole: Whole, stop_after: int
) -> None:
    mode, _, expected, method = whole
    path = tmp_path / "stopped"
    train(small_log, path, config(mode), stop_after)
    position = load_checkpoint(path).position
    assert (position.epoch, position.phase) == (stop_after, int(stop_after >= 2))
    records, rest, resumed = train(small_log, path, config(mode))
    assert [record["epoch"] for record in records] == list(range(stop_after + 1, 5))
    assert identical(rest[-1], expected[-1])
    assert identical(copy(resumed), copy(method)), "the best epoch may be one before the stop"
