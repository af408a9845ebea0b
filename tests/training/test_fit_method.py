"""A method that fits itself as a run: the same verbs, settings that have a say, kills."""

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from helpers import commands
from helpers.runs import FAST, identical, saved_weights
from postclick import InputError, compare, export, train
from postclick.data.prepared import PreparedLog
from postclick.methods.linear_fit import LinearFit
from postclick.runs.folder import STAGES, partial_folder
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings

SETTINGS = RunSettings.make("click_prior", overrides=["threads=1"])


@pytest.fixture(scope="module")
def run(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(small_log, SETTINGS, tmp_path_factory.mktemp("fitted") / "run")


def test_its_history_is_one_judged_record(run: Run) -> None:
    (record,) = run.history
    assert record["phase"] == "fit"
    assert record["terms"].keys() == {"ctr", "cvr"}
    assert 0.5 < record["valid"]["ctr_auc"] < 1
    assert not (run.folder / STAGES).exists()


@pytest.mark.parametrize("stage", ["held_out", "conversions"])
def test_a_killed_fit_goes_on_from_its_stages(
    stage: str, run: Run, small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    out, kept = tmp_path / "run", partial_folder(tmp_path / "run") / STAGES
    with monkeypatch.context() as patch:
        patch.setattr(LinearFit, stage, killed)
        with pytest.raises(KeyboardInterrupt):
            train(small_log, SETTINGS, out)
    assert (kept / "clicks.safetensors").exists()
    before = load_file(kept / "clicks.safetensors")
    monkeypatch.setattr(LinearFit, "clicks", killed)  # it is not fitted again
    again = train(small_log, SETTINGS, out)
    assert before
    assert identical(saved_weights(run.folder), saved_weights(again.folder))
    assert not (out / STAGES).exists()


def test_a_damaged_stage_is_told(small_log: PreparedLog, tmp_path: Path,
                                 monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    out = tmp_path / "run"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LinearFit, "conversions", killed)
        with pytest.raises(KeyboardInterrupt):
            train(small_log, SETTINGS, out)
    (partial_folder(out) / STAGES / "clicks.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="clicks.safetensors is damaged .*remove"):
        train(small_log, SETTINGS, out)
    shutil.rmtree(partial_folder(out))
    assert train(small_log, SETTINGS, out)


@pytest.mark.parametrize("override", ["lr=0.1", "training.epochs=3", "tower=[8]", "backbone=mmoe"])
def test_settings_without_a_say_are_refused_with_what_there_is(override: str) -> None:
    with pytest.raises(InputError, match="does not read .* leave it out; it reads .*folds"):
        RunSettings.make("click_prior", overrides=[override])
    assert RunSettings.make("click_prior", overrides=["folds=3"]).options == {"folds": 3}


def test_a_bundle_of_it_says_the_same(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    bundle = export(run, tmp_path / "bundle")  # which checks parity itself
    assert bundle.folder.exists()


def test_it_explains_itself_and_others_say_that_they_cannot(
    run: Run, small_log: PreparedLog, tmp_path: Path
) -> None:
    found = run.explain()
    names = {one.field for one in found.fields}
    assert names >= {column.name for column in small_log.manifest.ids}
    assert found.low < found.score_effect < found.high
    told = commands.succeed("explain", run.folder)
    assert told.startswith("Coefficient of the CTR score")
    other = train(small_log, RunSettings.make("naive", overrides=FAST), tmp_path / "naive")
    with pytest.raises(InputError, match="train click_prior"):
        other.explain()


def test_it_is_compared_and_tuned_beside_networks(small_log: PreparedLog, tmp_path: Path) -> None:
    overrides = [*FAST, "embedding_dim=4"]
    found = compare(
        small_log, ["click_prior", "naive"], tmp_path / "c", seeds=2, overrides=overrides,
        workers=1, trials=2,
    )  # fmt: skip
    assert found.tuned is not None
    chosen = found.tuned.protocol["tuned"]
    assert chosen["click_prior"].keys() >= {"folds", "score_variance", "variance"}
    assert "lr" in chosen["naive"]
    page = (tmp_path / "c" / "report.html").read_text(encoding="utf-8")
    assert "what carries it" in page
    assert "Coefficient of the CTR score" in page
    assert "--set training.lr=0.01" in page  # how to repeat it has what naive reads
