"""Trials that are pruned or diverge, and trials side by side."""

import json
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from helpers.searches import FAST, Lines
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError, RunStoppedError
from postclick.experiments.tuning import optuna_study
from postclick.experiments.tuning.optuna_study import (
    journal_value,
    journal_values,
    open_study,
    values_of,
)
from postclick.experiments.tuning.pruning import Pruning
from postclick.experiments.tuning.run_trials import Search, run_trials
from postclick.experiments.tuning.search_space import SearchSpace
from postclick.experiments.tuning.tune import tune
from postclick.ranges import Interval, Values
from postclick.runs.settings import RunSettings
from postclick.training.train import train


@pytest.fixture
def space(small_log: PreparedLog) -> SearchSpace:
    return SearchSpace.make("naive", small_log, "cvr_nll", 0, FAST)


def excellent(study: optuna.Study, count: int = 6, epochs: int = 4) -> None:
    """Trials whose every epoch is better than any that can be."""
    for _ in range(count):
        study.add_trial(
            optuna.trial.create_trial(
                value=0.001, intermediate_values=dict.fromkeys(range(epochs), 0.001)
            )
        )


def test_a_trial_worse_than_most_is_pruned(
    small_log: PreparedLog, space: SearchSpace, tmp_path: Path
) -> None:
    """After its second judged epoch, and its run leaves nothing behind."""
    study = open_study(tmp_path, "cvr_nll")
    excellent(study)
    overrides = [*FAST, "epochs=4", "patience=null"]
    long = SearchSpace.make("naive", small_log, "cvr_nll", 0, overrides)
    said = Search(small_log.folder, tmp_path, long).run(7, Lines())
    trial = study.get_trials()[-1]
    assert trial.state == TrialState.PRUNED
    assert "pruned after epoch 2: worse than most by then" in said
    assert trial.user_attrs["epochs"] == 2
    assert sorted(trial.intermediate_values) == [0, 1]
    assert trial.value == trial.intermediate_values[1]
    assert list((tmp_path / "trials").iterdir()) == []


def test_the_last_epoch_prunes_nothing(
    small_log: PreparedLog, space: SearchSpace, tmp_path: Path
) -> None:
    study = open_study(tmp_path, "cvr_nll")
    excellent(study)
    overrides = [*FAST, "epochs=2", "patience=null"]
    short = SearchSpace.make("naive", small_log, "cvr_nll", 0, overrides)
    Search(small_log.folder, tmp_path, short).run(7, Lines())
    assert study.get_trials()[-1].state == TrialState.COMPLETE


class Reported:
    """Stands for a trial: keeps what is reported, and is to be pruned from `enough` on."""

    def __init__(self, enough: int = 99) -> None:
        self.values: dict[int, float] = {}
        self.enough = enough

    def report(self, value: float, step: int) -> None:
        self.values[step] = value

    def should_prune(self) -> bool:
        return len(self.values) >= self.enough


def test_preparing_epochs_are_not_reported(small_log: PreparedLog, tmp_path: Path) -> None:
    """UKD's teacher has an epoch of its own before the two that are judged."""
    sets = [*FAST, "epochs=2", "backbone=share_bottom", "teacher_share=0.5"]
    settings = RunSettings.make("ukd", overrides=sets)
    trial: Any = Reported()
    pruning = Pruning(trial)
    run = train(small_log, settings, tmp_path / "run", track=[pruning])
    phases = [(record["phase"], record["judged"]) for record in run.history]
    assert phases == [("teacher", False), ("student", True), ("student", True)]
    judged = [record["valid"]["cvr_nll"] for record in run.history if record["judged"]]
    assert trial.values == dict(enumerate(judged))
    assert pruning.epochs == 3


def test_a_pruned_run_is_removed(small_log: PreparedLog, tmp_path: Path) -> None:
    settings = RunSettings.make("naive", overrides=[*FAST, "epochs=3"])
    trial: Any = Reported(enough=1)
    with pytest.raises(RunStoppedError, match="pruned after epoch 1"):
        train(small_log, settings, tmp_path / "run", track=[Pruning(trial)])
    assert list(tmp_path.iterdir()) == []


def test_a_trial_that_diverges_is_told_and_left_out(small_log: PreparedLog, tmp_path: Path) -> None:
    """Divergence as it is: a learning rate within a range that someone declared too wide."""
    space = SearchSpace.make("naive", small_log, "cvr_nll", 0, FAST)
    wide = SearchSpace(space.base, {"training.lr": Values((1e-3, 1e9))})
    study = open_study(tmp_path, "cvr_nll")
    for lr in (1e9, 1e-3):
        study.enqueue_trial({"training.lr": lr})
    said = Lines()
    for _ in run_trials(Search(small_log.folder, tmp_path, wide), range(2), 1, None, said):
        pass
    failed, complete = study.get_trials()
    assert (failed.state, complete.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert "the weights" in failed.user_attrs["reason"]
    assert any(line.startswith("trial 0: left out: ") for line in said.said)
    assert [t.number for t in optuna_study.finished_trials(study)] == [0, 1], (
        "it counts, and is not repeated"
    )


def test_if_every_trial_diverges_the_reason_is_said(small_log: PreparedLog, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no trial is complete: .*lower training.lr"):
        tune(small_log, "naive", tmp_path / "t", trials=2, overrides=[*FAST, "lr=1e9"], workers=1)
    assert (tmp_path / "t" / "trials.parquet").exists()


def test_values_survive_the_journal(space: SearchSpace) -> None:
    ranges = {
        "a": Values(((64, 32), ())),
        "b": Values((None, 15.0)),
        "c": Values((False, True)),
        "d": Interval(0.0, 1.0),
    }
    given = {"a": (), "b": None, "c": True, "d": 0.5}
    stored = json.loads(json.dumps(journal_values(given, ranges)))
    assert stored["a"] == journal_value(()) == "[]"
    assert values_of(stored, ranges) == given


@pytest.mark.slow
def test_two_workers_share_the_storage(small_log: PreparedLog, tmp_path: Path) -> None:
    said = Lines()
    found = tune(
        small_log, "naive", tmp_path / "t", trials=4, overrides=FAST, workers=2, reporter=said
    )
    assert found.trials["number"].to_list() == [0, 1, 2, 3]
    assert found.trials["training.lr"].n_unique() == 4, "no two drew the same"
    assert found.trials["training.lr"][0] == 1e-3
    assert sum("epoch 1: loss" in line for line in said.said) == 4
    assert any(line.startswith("trial 3: ") for line in said.said)


def test_after_the_deadline_no_trial_begins(
    small_log: PreparedLog, space: SearchSpace, tmp_path: Path
) -> None:
    study = open_study(tmp_path, "cvr_nll")
    search = Search(small_log.folder, tmp_path, space)
    for workers in (1, 2):
        assert list(run_trials(search, range(5), workers, time.monotonic(), Lines())) == []
    assert study.get_trials() == []


def test_nothing_that_is_used_of_optuna_pickles(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its journal storage pickles snapshots, for backends that keep some: files do not."""
    from optuna.storages.journal import JournalFileBackend, _storage
    from optuna.storages.journal._base import BaseJournalSnapshot

    def forbidden(*arguments: object) -> None:
        raise AssertionError("pickled")

    class NoPickle:
        loads = dumps = staticmethod(forbidden)
        UnpicklingError = ValueError

    assert not issubclass(JournalFileBackend, BaseJournalSnapshot)
    monkeypatch.setattr(_storage, "pickle", NoPickle)
    monkeypatch.setattr(_storage, "SNAPSHOT_INTERVAL", 1)
    found = tune(small_log, "naive", tmp_path / "t", trials=2, overrides=FAST, workers=1)
    assert found.trials.height == 2
