"""MLflow in a folder: what is there after runs, and that nothing goes over a network."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import SETS, succeed
from helpers.runs import SMALL, small_settings
from helpers.searches import FAST, Lines, Spy
from postclick.data.prepared import PreparedLog
from postclick.errors import RunFailedError, RunStoppedError
from postclick.experiments.tuning.tune import tune
from postclick.reporting.compare import compare
from postclick.tracking.destination import Destination
from postclick.tracking.to_mlflow import ENVIRONMENT, connect
from postclick.training.loop import TrainingLoop
from postclick.training.train import train

pytest.importorskip("mlflow")
pytestmark = pytest.mark.slow  # the first use of a store makes its tables, which takes seconds


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store whose tables are made."""
    folder = tmp_path_factory.mktemp("mlflow") / "mlruns"
    connect(str(folder))
    return folder


def runs(store: Path) -> dict[str, Any]:
    """All runs by name, the last of a name."""
    client, experiment = connect(str(store))
    return {run.info.run_name: run for run in reversed(client.search_runs([experiment]))}


def test_a_run_is_tracked(small_log: PreparedLog, store: Path, tmp_path: Path) -> None:
    settings = small_settings("escm2_ipw", seed=3)
    trained = train(small_log, settings, tmp_path / "whole", track=[f"mlflow:{store}"])
    run = runs(store)["whole"]
    assert run.info.status == "FINISHED"
    assert run.data.params["method"] == "escm2_ipw"
    assert run.data.params["seed"] == "3"
    assert run.data.params["training.lr"] == "0.01"
    assert run.data.params["options.cvr_weight"] == "0.1", "defaults are written out"
    assert run.data.tags["postclick.data"] == small_log.fingerprint
    client, _ = connect(str(store))
    for name in ("valid/cvr_nll", "terms/ctr", "loss", "clip_share", "held_out/click_over_pi"):
        history = client.get_metric_history(run.info.run_id, name)
        assert [metric.step for metric in history] == [1, 2]
        keys = name.split("/")
        for metric, record in zip(history, trained.history, strict=True):
            value = record[keys[0]]
            assert metric.value == (value[keys[1]] if len(keys) > 1 else value)
    files = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "model.safetensors", "history.jsonl", "run.json"} <= files
    place = Path(client.download_artifacts(run.info.run_id, "model.safetensors"))
    assert place.read_bytes() == (trained.folder / "model.safetensors").read_bytes()
    assert (store / "mlflow.db").exists()
    assert run.info.artifact_uri.startswith((store / "artifacts").as_uri())


def test_a_resumed_run_goes_on_in_the_same_mlflow_run(
    small_log: PreparedLog, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, track = TrainingLoop._save, [f"mlflow:{store}"]

    def interrupted(self: TrainingLoop) -> None:
        save(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingLoop, "_save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(small_log, small_settings("naive"), tmp_path / "resumed", track=track)
    before = runs(store)["resumed"].info
    assert before.status == "RUNNING"
    monkeypatch.setattr(TrainingLoop, "_save", save)
    train(small_log, small_settings("naive"), tmp_path / "resumed", track=track)
    client, experiment = connect(str(store))
    mine = [r for r in client.search_runs([experiment]) if r.info.run_name == "resumed"]
    assert [(r.info.run_id, r.info.status) for r in mine] == [(before.run_id, "FINISHED")]
    history = client.get_metric_history(before.run_id, "loss")
    assert [metric.step for metric in history] == [1, 2]
    assert Destination("mlflow", str(store)).id_in(tmp_path / "resumed") == before.run_id


def test_a_run_that_was_not_tracked_before_brings_its_history(
    small_log: PreparedLog, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = TrainingLoop._save

    def interrupted(self: TrainingLoop) -> None:
        save(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingLoop, "_save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(small_log, small_settings("naive"), tmp_path / "late")
    monkeypatch.setattr(TrainingLoop, "_save", save)
    train(small_log, small_settings("naive"), tmp_path / "late", track=[f"mlflow:{store}"])
    client, _ = connect(str(store))
    history = client.get_metric_history(runs(store)["late"].info.run_id, "loss")
    assert [metric.step for metric in history] == [1, 2]


def test_a_diverged_run_has_failed(small_log: PreparedLog, store: Path, tmp_path: Path) -> None:
    settings = small_settings("naive", "lr=1e9")
    with pytest.raises(RunFailedError):
        train(small_log, settings, tmp_path / "lost", track=[f"mlflow:{store}"])
    run = runs(store)["lost"]
    assert run.info.status == "FAILED"
    assert "lower training.lr" in run.data.tags["postclick.reason"]


def test_a_run_that_was_ended_on_purpose_is_killed(
    small_log: PreparedLog, store: Path, tmp_path: Path
) -> None:
    class Enough(Spy):
        def epoch(self, record: dict[str, Any]) -> None:
            raise RunStoppedError("pruned")

    track = [f"mlflow:{store}", Enough()]
    with pytest.raises(RunStoppedError):
        train(small_log, small_settings("naive"), tmp_path / "pruned", track=track)
    run = runs(store)["pruned"]
    assert (run.info.status, run.data.tags["postclick.reason"]) == ("KILLED", "pruned")


def test_a_comparison_is_the_parent_of_its_runs(
    small_log: PreparedLog, store: Path, tmp_path: Path
) -> None:
    out, sets = tmp_path / "versus", [*SMALL, "epochs=1"]
    given = {"seeds": 1, "overrides": sets, "workers": 1, "track": [f"mlflow:{store}"]}
    compare(small_log, "naive", out, trials=0, **given)  # type: ignore[arg-type]
    compare(small_log, "naive,esmm", out, trials=1, **given)  # type: ignore[arg-type]
    client, experiment = connect(str(store))
    (parent,) = [r for r in client.search_runs([experiment]) if r.info.run_name == "versus"]
    assert parent.info.status == "FINISHED"
    files = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert files == {"report.html", "results.parquet", "summary.json"}
    children = {
        name
        for name, run in runs(store).items()
        if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
    }
    assert children == {
        f"{kind}{method} {place}"
        for method in ("naive", "esmm")
        for kind, place in (("", "seed 0"), ("", "trial 0"), ("tuned ", "seed 0"))
    }


def test_a_search_is_the_parent_of_its_trials(
    small_log: PreparedLog, store: Path, tmp_path: Path
) -> None:
    """With two workers: they write to the store at the same time."""
    track = [f"mlflow:{store}"]
    found = tune(
        small_log, "naive", tmp_path / "tuned", trials=3, overrides=FAST, workers=2, track=track
    )
    all_runs = runs(store)
    parent = all_runs["tuned"]
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["cvr_nll"] == found.value
    client, _ = connect(str(store))
    files = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert files == {"best.yaml", "trials.parquet"}
    for number in range(3):
        trial = all_runs[f"trial-{number}"]
        assert trial.data.tags["mlflow.parentRunId"] == parent.info.run_id
        reached = found.trials["value"][number]
        assert trial.data.metrics["valid/cvr_nll"] == pytest.approx(reached)
        assert client.list_artifacts(trial.info.run_id) == [], "their models are not kept"


def test_a_server_that_is_down_costs_one_line(small_log: PreparedLog, tmp_path: Path) -> None:
    """Nobody listens on port 9 (discard) of this machine."""
    said = Lines()
    run = train(
        small_log,
        small_settings("naive"),
        tmp_path / "run",
        reporter=said,
        track=["mlflow:http://127.0.0.1:9"],
    )
    assert len(run.history) == 2
    (line,) = [line for line in said.said if "tracking" in line]
    assert line.startswith("warning: mlflow tracking failed (")
    assert "\n" not in line
    group = Lines()
    compare(
        small_log, "naive", tmp_path / "c", seeds=1, trials=0, workers=1, reporter=group,
        overrides=[*SMALL, "epochs=1"], track=["mlflow:http://127.0.0.1:9"],
    )  # fmt: skip
    assert sum("tracking failed" in line for line in group.said) == 1, "one for all its runs"


def test_nothing_goes_over_a_network(small_log: PreparedLog, tmp_path: Path) -> None:
    """Not even where the environment does not look like a test's; the default is a folder here."""
    code = (
        "import socket, sys\n"
        "seen = []\n"
        "connect, look_up = socket.socket.connect, socket.getaddrinfo\n"
        "def watched(self, address):\n"
        "    if self.family != socket.AF_UNIX: seen.append(address)\n"
        "    return connect(self, address)\n"
        "def looked_up(*a, **k):\n"
        "    seen.append(a)\n"
        "    return look_up(*a, **k)\n"
        "socket.socket.connect, socket.getaddrinfo = watched, looked_up\n"
        "from postclick import train, RunSettings\n"
        f"settings = RunSettings.make('naive', overrides={[*SMALL]!r})\n"
        f"train({str(small_log.folder)!r}, settings, 'run', track=['mlflow', 'tensorboard'])\n"
        "import time, threading\n"
        "from mlflow.telemetry.utils import is_telemetry_disabled\n"
        "assert is_telemetry_disabled()\n"
        "time.sleep(1)\n"
        "assert not seen, seen\n"
        "assert not [t.name for t in threading.enumerate() if 'elemetry' in t.name]\n"
    )
    hidden = ("PYTEST", "MLFLOW", "CI", "GITHUB", "DO_NOT_TRACK", "POSTCLICK")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    environment["HOME"] = environment["XDG_CONFIG_HOME"] = str(tmp_path)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=tmp_path)
    assert (tmp_path / "mlruns" / "mlflow.db").exists()
    assert list((tmp_path / "tensorboard" / "run").glob("events*"))
    assert not (tmp_path / "mlflow").exists(), "no installation id"
    assert "MLFLOW_DISABLE_TELEMETRY" in ENVIRONMENT


def test_the_command(small_log: PreparedLog, store: Path, tmp_path: Path) -> None:
    began = time.time()
    track = ["--track", f"mlflow:sqlite:///{store}/mlflow.db", "--track", f"tensorboard:{tmp_path}"]
    out = tmp_path / "by-command"
    succeed("train", small_log.folder, "--method", "naive", *SETS, "--out", out, *track)
    run = runs(store)["by-command"]
    assert run.info.start_time / 1000 >= began - 1
    assert list((tmp_path / "by-command-2").glob("events*")), "not in the run's own folder"
