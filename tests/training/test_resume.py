"""SIGKILL at random moments: the same command goes on, and the weights are the same bits."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from helpers.runs import identical, largest_difference, overrides, saved_weights, small_settings
from postclick.data.prepared import PreparedLog
from postclick.runs.run import Run
from postclick.training.checkpoint import load_checkpoint
from postclick.training.train import train

KILLS = 2
# A checkpoint every 60 ms: several within each epoch.
FREQUENT = ("checkpoint_minutes=0.001", "batch_size=64", "patience=null")
LAZY = "optimizer=lazy_adam"
EXACT = "optimizer=exact_adam"
SCHEDULE = ("schedule=linear", "warmup_steps=100", "clip_norm=1")
CASES = [
    pytest.param("choruscvr", (LAZY, "epochs=2", "dropout=0.3", *SCHEDULE), id="choruscvr-lazy"),
    pytest.param(
        "choruscvr", (EXACT, "epochs=5", "keep=last"), id="choruscvr-exact", marks=pytest.mark.slow
    ),
    pytest.param(
        "evi", (LAZY, "epochs=5", "dropout=0.3"), id="evi-lazy-dropout", marks=pytest.mark.slow
    ),
    pytest.param(
        "evi",
        (EXACT, "epochs=5", "dropout=0.3", "backbone=mmoe", "experts=2", "expert_width=8"),
        id="evi-exact-mmoe-dropout",
        marks=pytest.mark.slow,
    ),
    pytest.param("esmm", (LAZY, "epochs=2", "dropout=0.3", "average=0.9"), id="esmm-averaged"),
    # Methods with phases: a teacher first, rounds of two steps, steps that alternate.
    *(
        pytest.param(
            name, (LAZY, "epochs=4", "dropout=0.3", "keep=last"), id=name, marks=pytest.mark.slow
        )
        for name in ("ukd", "mrdr", "mrdr_gpl")
    ),
]


def command(log: PreparedLog, out: Path, method: str, changes: tuple[str, ...]) -> list[str]:
    sets = [part for text in overrides(method, *changes) for part in ("--set", text)]
    call = "from postclick.cli import main; main()"
    train = ["train", str(log.folder), "--method", method, "--seed", "5", "--out", str(out)]
    return [sys.executable, "-c", call, *train, *sets]


def kill_after_a_checkpoint(process: subprocess.Popen[str], path: Path, delay: float) -> bool:
    """Kill the process `delay` seconds after it wrote a checkpoint; False if it ended before."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    while process.poll() is None:
        if path.exists() and path.stat().st_mtime_ns != before:
            time.sleep(delay)
            if process.poll() is not None:
                return False
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    return False


@pytest.mark.parametrize(("method", "changes"), CASES)
def test_a_killed_run_ends_at_the_same_weights(
    small_log: PreparedLog, tmp_path: Path, method: str, changes: tuple[str, ...]
) -> None:
    changes = (*FREQUENT, *changes)
    # Not interrupted, in this process, with no checkpoint within an epoch: all the same.
    settings = small_settings(method, *changes, "checkpoint_minutes=9", seed=5)
    whole = train(small_log, settings, tmp_path / "whole")
    out, partial = tmp_path / "run", tmp_path / "run.partial"
    checkpoint = partial / "checkpoint.safetensors"
    delays, kills, within = random.Random(0), 0, 0
    for _ in range(4 * KILLS):
        if kills == KILLS:
            break
        # Nobody reads its output before its end: it is a few lines, less than a pipe holds.
        with subprocess.Popen(
            command(small_log, out, method, changes), stderr=subprocess.PIPE, text=True
        ) as process:
            if not kill_after_a_checkpoint(process, checkpoint, delays.uniform(0.0, 0.1)):
                break
        kills += 1
        position = load_checkpoint(checkpoint).position
        within += position.step > 0
        left = f".checkpoint.safetensors.tmp-{socket.gethostname()}-{process.pid}"
        (partial / left).write_bytes(b"half")
        assert not out.exists()
    assert kills == KILLS, "the run ended before it could be killed often enough"
    assert within > 0, "no kill fell within an epoch"

    done = subprocess.run(
        command(small_log, out, method, changes), capture_output=True, text=True, check=True
    )
    assert f"found the unfinished run {partial}" in done.stderr
    assert "resuming from the checkpoint at epoch" in done.stderr
    resumed = saved_weights(out)
    largest = largest_difference(resumed, saved_weights(whole.folder))
    print(f"\n{method} {changes}: {kills} kills, {within} within an epoch, difference {largest}")
    assert identical(resumed, saved_weights(whole.folder))
    leftovers = [p.name for p in out.iterdir() if ".tmp-" in p.name or "checkpoint" in p.name]
    assert leftovers == [], "nothing half-written may end up in the run"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("run")] == ["run"]
    again, expected = Run(out).history, whole.history
    for record in (*again, *expected):
        record["rows_per_second"] = None
    assert again == expected


@pytest.mark.parametrize("stage", ["before any checkpoint", "between model and rename"])
def test_a_kill_at_the_edges(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Before the first checkpoint and after the last epoch nothing may be lost or doubled."""

    class Killed(BaseException):
        pass

    def kill(*arguments: object) -> None:
        raise Killed

    settings = small_settings("naive", "dropout=0.1")
    whole = train(small_log, settings, tmp_path / "whole")
    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        if stage == "before any checkpoint":
            patched.setattr("postclick.training.loop.save_checkpoint", kill)
        else:
            patched.setattr(Path, "rename", kill)
        with pytest.raises(Killed):
            train(small_log, settings, out)
    torch.rand(7)  # what happens in between does not matter
    trained_again = []
    real = PreparedLog.shuffled
    monkeypatch.setattr(
        PreparedLog, "shuffled", lambda *a, **k: trained_again.append(a) or real(*a, **k)
    )
    run = train(small_log, settings, out)
    assert len(trained_again) == (2 if stage == "before any checkpoint" else 0)
    assert identical(saved_weights(run.folder), saved_weights(whole.folder))
    assert [record["epoch"] for record in run.history] == [1, 2]


def test_a_record_without_its_checkpoint_is_written_once(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the record of an epoch and its checkpoint: the epoch is trained again."""

    class Killed(BaseException):
        pass

    from postclick.training.loop import TrainingLoop

    real = TrainingLoop._save

    def save(loop: TrainingLoop) -> None:
        if loop.position.epoch == 2:
            raise Killed
        real(loop)

    settings = small_settings("naive", "epochs=3", "patience=null")
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(TrainingLoop, "_save", save)
        train(small_log, settings, tmp_path / "run")
    written = (tmp_path / "run.partial" / "history.jsonl").read_text().splitlines()
    assert len(written) == 2
    run = train(small_log, settings, tmp_path / "run")
    assert [record["epoch"] for record in run.history] == [1, 2, 3]
