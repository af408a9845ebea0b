"""Trackers are told how a run goes, and can do it no harm."""

from pathlib import Path
from typing import Any

import pytest

from helpers.commands import run
from helpers.runs import identical, saved_weights, small_settings
from helpers.searches import Lines, Spy
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError, RunFailedError, RunStoppedError
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings
from postclick.tracking.destination import Destination, trackers_of
from postclick.tracking.tracked_group import TrackedGroup
from postclick.tracking.tracker import dropped, metrics_of
from postclick.training.train import train


class Broken(Spy):
    """Fails at one of its calls."""

    name = "broken"

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def _maybe(self, call: str) -> None:
        self.told.append(call)
        if call == self.at:
            raise ConnectionError("server\n  down")

    def start(self, settings: RunSettings, log: PreparedLog, folder: Path) -> None:
        self._maybe("start")

    def epoch(self, record: dict[str, Any]) -> None:
        self._maybe("epoch")

    def finish(self, run: Run) -> None:
        self._maybe("finish")

    def fail(self, error: RunFailedError) -> None:
        self._maybe("fail")


def test_a_tracker_is_told_what_history_says(small_log: PreparedLog, tmp_path: Path) -> None:
    spy = Spy()
    trained = train(small_log, small_settings("naive"), tmp_path / "run", track=[spy])
    assert spy.told == ["start naive run.partial", "epoch 1", "epoch 2", "finish run"]
    assert spy.records == trained.history


@pytest.mark.parametrize("at", ["start", "epoch", "finish"])
def test_a_tracker_that_fails_is_one_line(at: str, small_log: PreparedLog, tmp_path: Path) -> None:
    """The run ends as without it, and it is not told anything more."""
    said, broken, spy = Lines(), Broken(at), Spy()
    settings = small_settings("naive")
    run = train(small_log, settings, tmp_path / "run", reporter=said, track=[broken, spy])
    lines = [line for line in said.said if "tracking" in line]
    assert lines == [
        "warning: broken tracking failed (ConnectionError: server down); the run goes on without it"
    ]
    assert broken.told.count(at) == 1
    assert broken.told[-1] == at
    assert spy.told[-1] == "finish run", "others go on"
    plain = train(small_log, settings, tmp_path / "plain")
    assert identical(saved_weights(run.folder), saved_weights(plain.folder))


def test_a_diverged_run_is_told(small_log: PreparedLog, tmp_path: Path) -> None:
    spy, broken = Spy(), Broken("fail")
    settings = small_settings("naive", "lr=1e9")
    with pytest.raises(RunFailedError, match="lower training.lr"):
        train(small_log, settings, tmp_path / "run", track=[broken, spy])
    assert spy.told == ["start naive run.partial", "fail RunFailedError"]


def test_a_tracker_may_end_a_run(small_log: PreparedLog, tmp_path: Path) -> None:
    class Enough(Spy):
        def epoch(self, record: dict[str, Any]) -> None:
            raise RunStoppedError("enough")

    enough = Enough()
    with pytest.raises(RunStoppedError, match="enough"):
        train(small_log, small_settings("naive"), tmp_path / "run", track=[enough])
    assert enough.told[-1] == "fail RunStoppedError"
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_given_is_not_imported(small_log: PreparedLog, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, postclick\n"
        f"postclick.train({str(small_log.folder)!r}, postclick.RunSettings.make('naive', "
        f"overrides=['epochs=1', 'tower=[4]']), {str(tmp_path / 'run')!r})\n"
        "assert not {'mlflow', 'tensorboard', 'optuna'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not (tmp_path / "run" / "tracking.json").exists()


def test_destinations() -> None:
    here = Path.cwd()
    assert Destination.parse("mlflow").target == str(here / "mlruns")
    assert Destination.parse("tensorboard").target == str(here / "tensorboard")
    assert Destination.parse("tensorboard:a/b").target == str(here / "a/b")
    assert Destination.parse("mlflow:file:///x/y").target == "/x/y"
    for uri in ("http://localhost:5000", "sqlite:////x/y.db"):
        assert Destination.parse(f"mlflow:{uri}").target == uri
    with pytest.raises(InputError, match=r"no 'aim'; there are mlflow\[:mlruns\], tensorboard"):
        Destination.parse("aim:x")


def test_a_missing_package_is_one_line_and_nothing_is_trained(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from postclick import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    for kind in ("mlflow", "tensorboard"):
        done = run("train", small_log.folder, "--method", "naive", "--track", kind,
                   "--out", tmp_path / "run")  # fmt: skip
        assert done.code == 2
        assert done.err == (
            f"postclick: tracking with {kind} needs {kind}: pip install 'postclick[track]'\n"
        )
    assert not list(tmp_path.iterdir())


def test_ids_are_kept_by_place(tmp_path: Path) -> None:
    first, second = Destination("mlflow", "/a"), Destination("mlflow", "/b")
    first.keep_id(tmp_path, "1")
    second.keep_id(tmp_path, "2")
    assert (first.id_in(tmp_path), second.id_in(tmp_path)) == ("1", "2")
    assert Destination("tensorboard", "/a").id_in(tmp_path) is None


def test_trackers_stay_what_they_are() -> None:
    spy = Spy()
    assert trackers_of([spy], "run") == [spy]


def test_a_group_whose_place_fails_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*arguments: object) -> None:
        raise ConnectionError("server down")

    said = Lines()
    monkeypatch.setattr(Destination, "open_group", down)
    group = TrackedGroup(["mlflow", "tensorboard"], tmp_path, said)
    assert group.places == ()
    assert [line.split(" (")[0] for line in said.said] == [
        "warning: mlflow tracking failed",
        "warning: tensorboard tracking failed",
    ]
    group.finish({}, [])


def test_metrics_are_numbers_only() -> None:
    record = {
        "phase": "joint", "epoch": 3, "judged": True, "loss": 0.5, "best": False, "lr": 1,
        "terms": {"ctr": 0.2}, "valid": {"cvr_nll": None, "ctr_nll": 0.3},
    }  # fmt: skip
    assert metrics_of(record) == {
        "loss": 0.5, "lr": 1.0, "terms/ctr": 0.2, "valid/ctr_nll": 0.3
    }  # fmt: skip


def test_a_warning_is_one_line_of_reasonable_length() -> None:
    text = dropped("mlflow", ValueError("a\nb " * 500))
    assert "\n" not in text
    assert len(text) < 300


def test_a_key_has_no_password() -> None:
    place = Destination("mlflow", "postgresql://me:secret@db.example:5432/runs?sslkey=x")
    assert place.key == "mlflow:postgresql://db.example:5432/runs"
    assert Destination("mlflow", "sqlite:////a/b.db").key == "mlflow:sqlite:////a/b.db"
    assert Destination("tensorboard", "/logs/a").key == "tensorboard:/logs/a"
