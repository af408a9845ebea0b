"""Run folders: what is in them, what opens them, and what is refused."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
import yaml

import postclick
from helpers.runs import identical, saved_weights, small_settings
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.datasets.simulated import SimulatedLog
from postclick.errors import InputError
from postclick.judging.judge import judge
from postclick.methods.base import Method
from postclick.runs.evaluate import evaluate
from postclick.runs.run import Run
from postclick.system.files import locked
from postclick.training import loop as loop_module
from postclick.training.train import train


@pytest.fixture(scope="module")
def run(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = small_settings("choruscvr", "dropout=0.1", seed=3)
    return train(small_log, settings, tmp_path_factory.mktemp("runs") / "deep" / "run")


def test_a_run_folder_holds_what_a_rerun_needs(run: Run, small_log: PreparedLog) -> None:
    names = {path.name for path in run.folder.iterdir()} - {"metrics.json"}
    assert names == {
        "config.yaml",
        "history.jsonl",
        "manifest.json",
        "model.safetensors",
        "run.json",
        "vocabularies",
    }
    assert [p.name for p in run.folder.parent.iterdir()] == ["run"], "no lock, no partial folder"
    info = json.loads((run.folder / "run.json").read_text())
    assert info["data_fingerprint"] == small_log.fingerprint
    assert (info["seed"], info["threads"]) == (3, 1)
    assert info["packages"]["torch"] == version("torch")
    config = yaml.safe_load((run.folder / "config.yaml").read_text())
    assert (config["method"], config["seed"], config["training"]["lr"]) == ("choruscvr", 3, 0.01)
    before = sorted(p.name for p in (small_log.folder / "vocabularies").iterdir())
    assert sorted(p.name for p in (run.folder / "vocabularies").iterdir()) == before
    assert before


def test_an_opened_run_knows_its_settings_and_history(run: Run) -> None:
    again = Run(run.folder)
    assert again.settings.to_yaml() == small_settings("choruscvr", "dropout=0.1", seed=3).to_yaml()
    assert [record["epoch"] for record in again.history] == [1, 2]
    assert again.manifest.log_schema.click.column == "click"


def test_a_loaded_method_predicts_what_it_predicted_before_it_was_saved(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Method] = []  # type: ignore[type-arg]
    real = loop_module.TrainingLoop.run

    def remember(loop: loop_module.TrainingLoop) -> None:
        real(loop)
        trained.append(loop.method.eval())

    monkeypatch.setattr(loop_module.TrainingLoop, "run", remember)
    loaded = train(small_log, small_settings("evi", "batch_norm=true"), tmp_path / "run").load()
    assert not loaded.training
    batch = small_log.rows("test").take(torch.arange(300))
    with torch.no_grad():
        before, after = trained[0].predict(batch), loaded.predict(batch)
    assert torch.equal(before.ctr, after.ctr)
    assert torch.equal(before.cvr, after.cvr)
    assert before.cvr.std() > 0


def test_evaluating_writes_metrics_and_keeps_those_of_other_splits(
    run: Run, small_log: PreparedLog
) -> None:
    judgement = evaluate(run.folder, small_log.folder)
    valid = run.evaluate(small_log, "valid")
    written = json.loads((run.folder / "metrics.json").read_text())
    assert set(written) == {"test", "valid"}
    for split, result in (("test", judgement), ("valid", valid)):
        values = {(m["metric"], m["space"]): m["value"] for m in written[split]["metrics"]}
        assert values == {(m.metric, m.space): m.value for m in result.metrics}
        assert result.propensity is not None
        assert written[split]["propensity"]["click_over_pi"] == result.propensity.click_over_pi
    direct = judge(run.load(), small_log, "test")
    assert direct.metrics == judgement.metrics
    # What was kept is the best epoch by the validation split.
    assert valid.value("cvr_nll") == pytest.approx(
        min(record["valid"]["cvr_nll"] for record in run.history), rel=1e-6
    )


def test_training_never_looks_at_the_test_split(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = set()
    real = PreparedLog.windows

    def windows(log: PreparedLog, name: str, order: list[int] | None = None) -> object:
        asked.add(name)
        return real(log, name, order)

    monkeypatch.setattr(PreparedLog, "windows", windows)
    train(small_log, small_settings("naive", "epochs=1"), tmp_path / "run")
    assert asked == {"train", "valid"}


def test_the_seed_is_used_with_a_method_by_name(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def refuse(*arguments: object) -> None:
        made.append(arguments)
        raise InputError("enough")

    monkeypatch.setattr("postclick.training.train.open_partial", refuse)
    with pytest.raises(InputError, match="enough"):
        train(small_log, "naive", tmp_path / "run", seed=7)
    assert made[0][1].seed == 7


def test_a_log_that_was_prepared_differently_is_refused(
    run: Run, small_raw: SimulatedLog, tmp_path: Path
) -> None:
    other = postclick.prepare(
        LogSplits(small_raw.schema, FrameSource(small_raw.train)), tmp_path / "other"
    )
    with pytest.raises(InputError, match="is not the log that .* was trained on"):
        run.evaluate(other)


def test_an_unknown_split_is_refused(run: Run, small_log: PreparedLog) -> None:
    with pytest.raises(InputError, match="no split 'dev'; it has train, valid, test"):
        run.evaluate(small_log, "dev")


def test_an_existing_out_is_refused_and_left_alone(small_log: PreparedLog, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="mine exists: name another out, or remove it"):
        train(small_log, small_settings("naive"), out)
    assert (out / "thesis.txt").read_text() == "precious"
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_folder_in_the_way_of_the_partial_one_is_left_alone(
    small_log: PreparedLog, tmp_path: Path
) -> None:
    partial = tmp_path / "run.partial"
    partial.mkdir()
    (partial / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match=r"run\.partial is in the way"):
        train(small_log, small_settings("naive"), tmp_path / "run")
    assert (partial / "thesis.txt").read_text() == "precious"


def test_a_second_writer_is_refused(small_log: PreparedLog, tmp_path: Path) -> None:
    out = tmp_path / "run"
    refused = pytest.raises(InputError, match=r"another process is writing .*run: wait")
    with locked(tmp_path / "run.lock", out), refused:
        train(small_log, small_settings("naive"), out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model.safetensors", "cut", r"model\.safetensors is damaged"),
        ("model.safetensors", None, "is not a finished run: name a folder that"),
        ("run.json", "{}", r"run\.json is damaged"),
        ("run.json", "[", r"run\.json is damaged"),
        ("config.yaml", "method: [", r"config .*config\.yaml cannot be read"),
        ("config.yaml", "seed: 1", r"config\.yaml is damaged: method"),
        ("config.yaml", "method: gone", "there is no method 'gone'"),
        ("manifest.json", "{", r"manifest\.json is damaged"),
        ("metrics.json", "{", r"metrics\.json is damaged"),
    ],
)
def test_a_damaged_run_is_one_line(
    run: Run, small_log: PreparedLog, tmp_path: Path, file: str, content: str | None, message: str
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for path in run.folder.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    (folder / file).unlink(missing_ok=True)
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(InputError, match=message) as error:
        evaluate(folder, small_log)
    assert "\n" not in str(error.value)


def test_a_damaged_history_is_one_line(run: Run, tmp_path: Path) -> None:
    for file in ("model.safetensors", "run.json", "config.yaml", "manifest.json"):
        (tmp_path / file).write_bytes((run.folder / file).read_bytes())
    assert Run(tmp_path).history == []
    (tmp_path / "history.jsonl").write_text('{"epoch": 1}\n{"epo')
    with pytest.raises(InputError, match=r"history\.jsonl is damaged"):
        _ = Run(tmp_path).history


def test_a_run_of_another_size_is_not_loaded(run: Run, tmp_path: Path) -> None:
    other = Run(run.folder)
    other.settings = small_settings("choruscvr", "tower=[4]")
    with pytest.raises(InputError, match="is damaged") as error:
        other.load()
    assert "\n" not in str(error.value)


def test_the_run_is_the_same_when_repeated_from_its_config(
    run: Run, small_log: PreparedLog, tmp_path: Path
) -> None:
    settings = postclick.RunSettings.make(
        config=yaml.safe_load((run.folder / "config.yaml").read_text())
    )
    again = train(small_log, settings, tmp_path / "again")
    assert identical(saved_weights(run.folder), saved_weights(again.folder))
