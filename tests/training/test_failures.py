"""Runs that cannot go on: one line with the cause, and nothing left that would be resumed."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import postclick
from helpers.kills import killed
from helpers.runs import identical, saved_weights, small_settings
from postclick.data import manifest as m
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.datasets.simulated import SimulatedLog
from postclick.errors import InputError, RunFailedError
from postclick.progress import Silent
from postclick.training import checkpoint as checkpoint_module
from postclick.training.divergence import likely_cause
from postclick.training.loop import TrainingLoop
from postclick.training.train import train


def small_frame(rows: int = 1_500, **columns: Any) -> LogSplits:
    rng = np.random.default_rng(0)
    click = rng.random(rows) < 0.4
    frame = pl.DataFrame(
        {
            "shop": rng.integers(0, 9, rows),
            "click": click.astype(int),
            "buy": (click & (rng.random(rows) < 0.4)).astype(int),
            **{name: make(rng) for name, make in columns.items()},
        }
    )
    schema = {"click": "click", "conversion": "buy", "categorical": ["shop"]}
    numeric = {"numeric": list(columns)} if columns else {}
    return LogSplits(postclick.LogSchema.parse({**schema, **numeric}), FrameSource(frame))


def test_extreme_values_of_a_numeric_feature_name_term_and_step(tmp_path: Path) -> None:
    """Standardised, one value of 1e30 among others is moderate; written into a shard it is not."""
    log = postclick.prepare(
        small_frame(price=lambda rng: rng.normal(size=1_500)), tmp_path / "data"
    )
    rows = log.rows("train")
    rows.numeric[:] = 3e38
    with pytest.raises(RunFailedError) as error:
        train(log, small_settings("naive"), tmp_path / "run")
    assert re.search(r"loss term '(ctr|cvr)' is (nan|inf) at epoch 1 step 1;", str(error.value))
    assert "the numeric feature 'price' is 3e+38 after scaling" in str(error.value)
    assert "\n" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("lr", ["1e3", "1e6"])
@pytest.mark.parametrize("mode", ["lazy_adam", "exact_adam"])
def test_a_learning_rate_that_is_far_too_high(
    small_log: PreparedLog, tmp_path: Path, mode: str, lr: str
) -> None:
    changes = (f"lr={lr}", f"optimizer={mode}", "epochs=3", "tower=[32,16,8]")
    with pytest.raises(RunFailedError, match=r"lower training\.lr") as error:
        train(small_log, small_settings("esmm", *changes), tmp_path / "run")
    assert re.search(r"epoch \d+ step \d+", str(error.value))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [], "neither partial folder nor lock"


def test_a_loss_that_means_nothing_is_told(small_log: PreparedLog, tmp_path: Path) -> None:
    told: list[str] = []

    class Lines(Silent):
        def line(self, text: str) -> None:
            told.append(text)

    train(small_log, small_settings("naive", "lr=10", "epochs=1"), tmp_path / "r", reporter=Lines())
    (warning,) = (line for line in told if line.startswith("warning"))
    assert re.search(r"a mean loss of \S+ means nothing: the weights \S+ have grown to", warning)
    assert "the learning rate (10) is too high" in warning


def test_sound_weights_and_features_leave_the_clip() -> None:
    model = torch.nn.Linear(2, 1)
    cause = likely_cause(model, 0.1, torch.ones(3, 2), ["a", "b"])
    assert cause.startswith("weights and features are sound, so look for a propensity clip")


def test_weights_that_diverge_in_the_last_step_are_noticed(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = TrainingLoop._train_epoch

    def train_epoch(loop: TrainingLoop, meter: Any) -> None:
        real(loop, meter)
        loop.method.embedding.table.data[3] = float("nan")

    monkeypatch.setattr(TrainingLoop, "_train_epoch", train_epoch)
    with pytest.raises(RunFailedError, match=r"the weights embedding\.table have diverged"):
        train(small_log, small_settings("naive"), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_monitor_that_is_undefined_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    splits = small_frame()
    (frame,) = splits.train.frames(["shop", "click", "buy"])
    unclicked = FrameSource(frame.head(100).with_columns(click=0, buy=0))
    with_valid = LogSplits(splits.schema, splits.train, None, unclicked)
    log = postclick.prepare(with_valid, tmp_path / "data")
    with pytest.raises(
        RunFailedError, match=r"training\.monitor=cvr_nll is undefined .*no clicked"
    ):
        train(log, small_settings("naive"), tmp_path / "run")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
    run = train(log, small_settings("naive", "monitor=ctr_nll"), tmp_path / "run")
    assert run.history[0]["valid"]["cvr_nll"] is None


def test_a_log_without_a_validation_split_is_refused_before_training(tmp_path: Path) -> None:
    log = postclick.prepare(small_frame(), tmp_path / "data", valid_fraction=0)
    with pytest.raises(InputError, match="no validation split.*a valid_fraction above 0"):
        train(log, small_settings("naive"), tmp_path / "run")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        ("naive", ("ctr_weight=0", "cvr_weight=0"), "every loss weight is 0"),
        ("evi", ("tower=[8]", "transfer_layers=2"), "transfer_layers=2, but the tower has 1"),
        ("naive", ("device=nosuch",), r"training\.device=nosuch cannot be used here"),
        ("naive", ("device=cuda:7",), r"training\.device=cuda:7 cannot be used here"),
    ],
)
def test_settings_that_cannot_work_leave_nothing_behind(
    small_log: PreparedLog, tmp_path: Path, method: str, changes: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        train(small_log, small_settings(method, *changes), tmp_path / "run")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_run_and_it_is_resumed(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours of training must survive what is no fault of the run."""
    settings = small_settings("naive", "epochs=3", "patience=null")
    expected = train(small_log, settings, tmp_path / "whole")
    real, saves = checkpoint_module.write_tensors, []

    def full(path: Path, *arguments: Any) -> None:
        saves.append(path)
        if len(saves) == 2:
            raise InputError(f"{path} cannot be written: No space left on device")
        real(path, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint_module, "write_tensors", full)
        with pytest.raises(InputError, match="No space left"):
            train(small_log, settings, tmp_path / "run")
    assert (tmp_path / "run.partial" / "checkpoint.safetensors").exists()
    run = train(small_log, settings, tmp_path / "run")
    assert [record["epoch"] for record in run.history] == [1, 2, 3]
    assert identical(saved_weights(run.folder), saved_weights(expected.folder))


def test_a_damaged_checkpoint_is_named_and_not_removed(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small_settings("naive")
    with killed(monkeypatch, lambda loop, saved: loop.position.epoch == 1):
        train(small_log, settings, tmp_path / "run")
    path = tmp_path / "run.partial" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"run\.partial/checkpoint\.safetensors is damaged"):
        train(small_log, settings, tmp_path / "run")
    assert path.exists()


def test_an_unfinished_run_with_other_settings_is_refused(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed(monkeypatch, lambda loop, saved: loop.position.epoch == 1):
        train(small_log, small_settings("naive"), tmp_path / "run")
    for other in (
        small_settings("naive", "lr=0.02"),
        small_settings("naive", "epochs=3"),
        small_settings("naive", seed=1),
        small_settings("esmm"),
    ):
        with pytest.raises(InputError, match=r"run\.partial is an unfinished run with other set"):
            train(small_log, other, tmp_path / "run")
    with pytest.raises(InputError, match=r"not a finished run \(unfinished: .*resume\)"):
        postclick.Run(tmp_path / "run")
    assert len(train(small_log, small_settings("naive"), tmp_path / "run").history) == 2


def test_no_conversion_is_nothing_to_learn_from(small_log: PreparedLog, tmp_path: Path) -> None:
    log = PreparedLog(small_log.folder)
    empty = log.split("train").model_copy(update={"conversions": 0})
    log.manifest = log.manifest.model_copy(
        update={"splits": {**log.manifest.splits, "train": empty}}
    )
    with pytest.raises(InputError, match="no conversion in the training split"):
        train(log, small_settings("naive"), tmp_path / "run")


def test_numbers_alone_can_be_trained_on(small_raw: SimulatedLog, tmp_path: Path) -> None:
    """A log without any id has an embedding table without rows."""
    schema = postclick.LogSchema.parse(
        {"click": "click", "conversion": "conversion", "numeric": ["price", "rating"]}
    )
    splits = LogSplits(schema, FrameSource(small_raw.train), FrameSource(small_raw.test))
    log = postclick.prepare(splits, tmp_path / "data")
    assert log.manifest.ids == ()
    for mode in ("lazy_adam", "exact_adam"):
        settings = small_settings("esmm", f"optimizer={mode}", "clip_norm=1")
        run = train(log, settings, tmp_path / mode)
        assert run.evaluate(log).value("ctr_nll") is not None
    assert m.CLICK in small_raw.train.columns
