"""The loop: it learns, stops and keeps what it should, the same way for the same seed."""

from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.runs import identical, small_settings
from postclick.data import prepared
from postclick.data.prepared import PreparedLog
from postclick.methods.base import Method
from postclick.progress import Silent
from postclick.runs.build import build_method
from postclick.runs.settings import RunSettings
from postclick.system.process import training_process
from postclick.training.loop import Record, TrainingLoop
from postclick.training.optimizer import Optimizer
from postclick.training.schedule import lr_factor


class Trained:
    """A loop that has run, its method and its records."""

    def __init__(self, log: PreparedLog, path: Path, settings: RunSettings) -> None:
        self.records: list[Record] = []
        with training_process(settings.training.threads):
            self.method: Method[Any] = build_method(settings, log)
            self.loop = TrainingLoop(
                self.method,
                log,
                settings.training,
                settings.seed,
                path / f"{len(list(path.iterdir()))}.safetensors",
                Silent(),
                self.records.append,
            )
            self.loop.run()

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return self.method.state_dict()


def test_the_loss_goes_down_and_the_ranking_gets_better(
    small_log: PreparedLog, tmp_path: Path
) -> None:
    trained = Trained(small_log, tmp_path, small_settings("esmm", "epochs=4"))
    losses = [record["loss"] for record in trained.records]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.95 * losses[0]
    last = trained.records[-1]["valid"]
    assert last["ctr_auc"] > 0.6
    assert last["ctcvr_auc"] > 0.65


def test_a_record_says_what_happened(small_log: PreparedLog, tmp_path: Path) -> None:
    settings = small_settings("choruscvr", "batch_size=500")
    first, second = Trained(small_log, tmp_path, settings).records
    assert (first["epoch"], second["epoch"], first["phase"]) == (1, 2, "joint")
    assert first["steps"] == small_log.steps("train", 500) == 11
    assert first["loss"] == pytest.approx(sum(first["terms"].values()))
    valid = {f"{q}_{s}" for q in ("ctr", "cvr", "ctcvr") for s in ("auc", "nll")}
    assert set(first["valid"]) == valid
    assert first["clicks"] == small_log.split("train").clicks
    assert 0 < first["effective_sample_size"] <= first["clicks"]
    assert first["held_out"]["click_over_pi"] == pytest.approx(1.0, abs=0.3)
    assert first["best"] is True


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    small_log: PreparedLog, tmp_path: Path
) -> None:
    runs = [
        Trained(small_log, tmp_path, small_settings("choruscvr", "dropout=0.2", seed=seed))
        for seed in (0, 0, 1)
    ]
    assert identical(runs[0].weights, runs[1].weights)
    assert not identical(runs[0].weights, runs[2].weights)
    strip = [[{**r, "rows_per_second": 0} for r in run.records] for run in runs]
    assert strip[0] == strip[1]


@pytest.mark.parametrize("keep", ["best", "last"])
def test_early_stopping_keeps_what_it_was_asked_to_keep(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    """A rate that overfits: the best epoch is not the last."""
    seen = []
    real = TrainingLoop._note_result

    def note(loop: TrainingLoop, judgement: Any) -> bool:
        seen.append({n: t.clone() for n, t in loop.method.state_dict().items()})
        return real(loop, judgement)

    monkeypatch.setattr(TrainingLoop, "_note_result", note)
    changes = ("epochs=30", "patience=2", "lr=0.03", "tower=[32,16]", f"keep={keep}")
    trained = Trained(small_log, tmp_path, small_settings("naive", *changes))
    records = trained.records
    nll = [record["valid"]["cvr_nll"] for record in records]
    best = nll.index(min(nll))
    assert len(records) < 30, "it has to stop early"
    assert len(records) == best + 3, "two epochs without improvement"
    assert [r["epoch"] for r in records if r["best"]][-1] == best + 1
    assert identical(trained.weights, seen[best if keep == "best" else -1])
    assert not identical(seen[best], seen[-1])


def test_without_patience_all_epochs_are_trained(small_log: PreparedLog, tmp_path: Path) -> None:
    changes = ("epochs=6", "patience=null", "lr=0.03", "monitor=cvr_auc")
    records = Trained(small_log, tmp_path, small_settings("naive", *changes)).records
    assert len(records) == 6
    values = [record["valid"]["cvr_auc"] for record in records]
    assert [r["epoch"] - 1 for r in records if r["best"]][-1] == values.index(max(values))


def test_the_schedule_and_the_clip_reach_the_optimizer(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    norms: list[float | None] = []
    real = Optimizer.step

    def step(optimizer: Optimizer, lr: float) -> float | None:
        rates.append(lr)
        norms.append(real(optimizer, lr))
        return norms[-1]

    monkeypatch.setattr(Optimizer, "step", step)
    changes = ("warmup_steps=10", "schedule=linear", "clip_norm=0.01", "patience=null")
    settings = small_settings("naive", *changes)
    clipped = Trained(small_log, tmp_path, settings)
    total = 2 * small_log.steps("train", 512)
    factors = [lr_factor(settings.training, k, total) for k in range(total)]
    assert rates == pytest.approx([0.01 * factor for factor in factors])
    assert all(norm is not None and norm > 0.01 for norm in norms)
    free = Trained(small_log, tmp_path, small_settings("naive", *changes, "clip_norm=null"))
    assert norms[-1] is None
    assert not identical(clipped.weights, free.weights)


def test_a_log_that_is_streamed_trains_and_is_deterministic(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "IN_MEMORY_BYTES", 0)
    log = PreparedLog(small_log.folder)
    shards = [shard.rows for shard in log.split("train").shards]
    assert len(shards) > 2
    runs = [Trained(log, tmp_path, small_settings("esmm")) for _ in range(2)]
    assert log._cache == {}, "no split may be held in memory"
    assert runs[0].records[0]["steps"] == sum(-(-rows // 512) for rows in shards)
    assert identical(runs[0].weights, runs[1].weights)
    assert runs[0].records[1]["loss"] < runs[0].records[0]["loss"]


@pytest.mark.parametrize("changes", [("precision=bf16",), ("optimizer=exact_adam",)])
def test_the_other_ways_to_train_learn_as_well(
    small_log: PreparedLog, tmp_path: Path, changes: tuple[str, ...]
) -> None:
    # Long enough that rows wait for more steps than lazy Adam replays.
    small = ("batch_size=128", *changes)
    plain = Trained(small_log, tmp_path, small_settings("esmm", small[0]))
    other = Trained(small_log, tmp_path, small_settings("esmm", *small))
    assert other.records[-1]["loss"] < other.records[0]["loss"]
    assert other.records[-1]["loss"] == pytest.approx(plain.records[-1]["loss"], rel=0.02)
    assert not identical(plain.weights, other.weights)
