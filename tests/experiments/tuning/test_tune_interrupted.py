"""Searches that are interrupted or killed lose and double nothing."""

import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from helpers.searches import FAST, Lines
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.tuning import optuna_study
from postclick.experiments.tuning.optuna_study import journal_values, open_study, repair
from postclick.experiments.tuning.pruning import Pruning
from postclick.experiments.tuning.search_space import SearchSpace
from postclick.experiments.tuning.tune import tune


@pytest.fixture
def space(small_log: PreparedLog) -> SearchSpace:
    return SearchSpace.make("naive", small_log, "cvr_nll", 0, FAST)


def test_an_interrupted_trial_is_taken_up_again(
    small_log: PreparedLog, space: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the same settings, goes on from its checkpoint, and is counted once."""
    out = tmp_path / "t"
    sets = [*FAST, "epochs=2"]
    epoch = Pruning.epoch

    def interrupted(self: Pruning, record: dict[str, Any]) -> None:
        epoch(self, record)
        if self.trial.number == 1 and record["epoch"] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Pruning, "epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(small_log, "naive", out, trials=3, overrides=sets, workers=1)
    before = open_study(out, "cvr_nll").get_trials()
    assert [t.state for t in before] == [TrialState.COMPLETE, TrialState.RUNNING]
    monkeypatch.setattr(Pruning, "epoch", epoch)
    said = Lines()
    found = tune(small_log, "naive", out, trials=3, overrides=sets, workers=1, reporter=said)
    assert found.trials.height == 3
    assert "1 interrupted trials go on from their checkpoints" in said.said
    assert any("resuming from the checkpoint at epoch 2" in line for line in said.said)
    after = open_study(out, "cvr_nll").get_trials()
    assert after[1].state == TrialState.FAIL
    assert after[2].params == before[1].params
    assert sorted(after[2].intermediate_values) == [0, 1], "earlier epochs are reported too"
    assert after[2].user_attrs["attempts"] == 0, "an interruption is no fault of the trial"
    whole = tune(small_log, "naive", tmp_path / "whole", trials=2, overrides=sets, workers=1)
    assert found.trials.row(1, named=True)["value"] == whole.trials["value"][1]


def test_a_run_that_was_finished_but_not_told_is_not_trained_again(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "t"

    def killed(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    tell = optuna.Study.tell
    monkeypatch.setattr(optuna.Study, "tell", killed)
    with pytest.raises(KeyboardInterrupt):
        tune(small_log, "naive", out, trials=1, overrides=FAST, workers=1)
    monkeypatch.setattr(optuna.Study, "tell", tell)
    assert (out / "trials" / "trial-0" / "model.safetensors").exists()
    said = Lines()
    found = tune(small_log, "naive", out, trials=1, overrides=FAST, workers=1, reporter=said)
    assert not any("loss" in line for line in said.said)
    assert found.best_trial == 1
    assert found.default_value == found.value, "it still is the trial of the defaults"


def test_a_trial_whose_process_dies_again_and_again_has_failed(
    small_log: PreparedLog, space: SearchSpace, tmp_path: Path
) -> None:
    study = open_study(tmp_path, "cvr_nll")
    study.enqueue_trial(journal_values(space.first, space.ranges))
    for deaths in range(optuna_study.ATTEMPTS):
        study.ask({n: optuna_study.distribution(r) for n, r in space.ranges.items()})
        assert optuna_study.finished_trials(study) == []
        assert optuna_study.recover(study) == 1, deaths
    (failed,) = optuna_study.finished_trials(study)
    assert failed.user_attrs["reason"] == "its process died 3 times (out of memory?)"
    assert study.get_trials(states=(TrialState.WAITING, TrialState.RUNNING)) == []


def test_a_journal_that_was_cut_off_is_mended(tmp_path: Path) -> None:
    study = open_study(tmp_path, "cvr_nll")
    study.enqueue_trial({"x": 1.0})
    journal = tmp_path / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"wor')
    (tmp_path / "journal.jsonl.lock").touch()
    repair(tmp_path)
    assert journal.read_bytes() == whole
    again = open_study(tmp_path, "cvr_nll")
    again.enqueue_trial({"x": 2.0})  # no lock that is waited for, and no line glued to a half one
    assert len(open_study(tmp_path, "cvr_nll").get_trials()) == 2
    journal.write_bytes(b"nonsense\n" + whole)
    with pytest.raises(InputError, match="is damaged"):
        repair(tmp_path)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_one_repetition(
    small_log: PreparedLog, tmp_path: Path
) -> None:
    class Killer(Lines):
        def line(self, text: str) -> None:
            super().line(text)
            if "epoch 1: loss" in text and not killed:
                workers = [p for p in multiprocessing.active_children() if "Spawn" in p.name]
                killed.append(workers[0].pid)
                os.kill(workers[0].pid or 0, signal.SIGKILL)

    killed: list[int | None] = []
    sets = [*FAST, "epochs=4", "batch_size=64", "patience=null"]
    with pytest.raises(InputError, match="a worker process died"):
        tune(
            small_log, "naive", tmp_path / "t", trials=3, overrides=sets, workers=2,
            reporter=Killer(),
        )  # fmt: skip
    found = tune(small_log, "naive", tmp_path / "t", trials=3, overrides=sets, workers=1)
    assert found.trials.height == 3
    assert not (tmp_path / "t" / "trials").exists()


def held(out: Path) -> bool:
    """Whether a process is training a trial."""
    for lock in out.glob("trials/*.lock"):
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def alive(pid: str) -> bool:
    """Whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
@pytest.mark.slow
def test_a_killed_search_goes_on(small_log: PreparedLog, tmp_path: Path) -> None:
    """The process and its workers end by SIGKILL to the first, and nothing is lost or doubled."""
    out = tmp_path / "t"
    sets = [*FAST, "epochs=4", "batch_size=16", "patience=null"]
    code = (
        "from postclick import tune\n"
        "if __name__ == '__main__':\n"
        f"    tune({str(small_log.folder)!r}, 'naive', {str(out)!r}, trials=3, workers=2,"
        f" overrides={sets!r})\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)])
    try:
        deadline = time.monotonic() + 300
        while not list(out.glob("trials/*.partial/history.jsonl")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
        children = [pid for task in tasks for pid in task.read_text().split()]
        assert len(children) >= 3
    finally:
        process.kill()
        process.wait()
    deadline = time.monotonic() + 60
    # Until the workers, and the process that passes on what they say, notice that it is gone.
    while held(out) or any(alive(pid) for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    found = tune(small_log, "naive", out, trials=3, overrides=sets, workers=1)
    assert found.trials.height == 3
    assert found.trials["training.lr"].n_unique() == 3
