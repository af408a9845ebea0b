"""Distillation: the student predicts what its teacher does, and says by whom it was taught."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from helpers.commands import run, succeed
from helpers.exposed_log import exposed_log
from helpers.kills import killed
from helpers.runs import FAST, identical, saved_weights, small_settings
from postclick import distill, evaluate, export, train
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.distillation.distill import Distillation
from postclick.judging.labels import split_labels
from postclick.methods import Naive
from postclick.metrics.auc import auc, weighted_auc
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings, load_config

# Enough steps on a log of some thousand rows to come near.
SETS = [*FAST[:3], "batch_size=64", "epochs=5", "threads=1", "lr=0.01"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("distillation")


@pytest.fixture(scope="module")
def teacher(small_log: PreparedLog, folder: Path) -> Run:
    members = "members=[click_prior,naive*2]"
    settings = RunSettings.make("mean_of", overrides=[*FAST, members])
    return train(small_log, settings, folder / "teacher")


@pytest.fixture(scope="module")
def found(teacher: Run, small_log: PreparedLog, folder: Path) -> Distillation:
    return distill(teacher, small_log, folder / "student", overrides=SETS, split="test")


def test_the_student_predicts_what_its_teacher_does(
    found: Distillation, teacher: Run, small_log: PreparedLog
) -> None:
    """Every figure is the one of numpy on the predictions that both have kept."""
    labels = split_labels(small_log, "test")
    p: dict[str, list[Any]] = {"ctr": [], "cvr": []}
    z: list[Any] = []
    for one in (teacher, found.run):
        one.evaluate(small_log, "test", keep_predictions=True)
        kept = one.predictions()
        z.append(kept["cvr_logit"].to_numpy())
        for head, of in p.items():
            of.append(1 / (1 + np.exp(-kept[f"{head}_logit"].to_numpy().astype(np.float64))))
    parity = found.parity
    assert parity.pcvr_difference == pytest.approx(abs(p["cvr"][0] - p["cvr"][1]).mean(), abs=1e-6)
    assert parity.pctr_difference == pytest.approx(abs(p["ctr"][0] - p["ctr"][1]).mean(), abs=1e-6)
    assert parity.mean_pcvr == pytest.approx(p["cvr"][0].mean(), abs=1e-6)
    assert parity.pcvr_difference < 0.15 * parity.mean_pcvr
    assert np.corrcoef(*z)[0, 1] > 0.95
    by_name = {one.metric: one for one in parity.auc}
    clicked, true = labels.click, labels.truth["true_cvr"].astype(np.float64)
    for number, of_run in enumerate(("teacher", "student")):
        clicks = auc(z[number][clicked], labels.conversion[clicked])
        assert getattr(by_name["cvr_auc"], of_run) == pytest.approx(clicks, abs=1e-6)
        whole = weighted_auc(z[number], true, 1 - true)
        assert getattr(by_name["true_cvr_auc"], of_run) == pytest.approx(whole, abs=1e-6)
    lost = by_name["true_cvr_auc"]
    assert lost.difference.difference == pytest.approx(lost.student - lost.teacher, abs=1e-9)
    assert lost.difference.low < lost.difference.difference < lost.difference.high
    assert parity.student.bytes == (found.run.folder / "model.safetensors").stat().st_size
    assert parity.student.bytes < parity.teacher.bytes / 2
    written = json.loads((found.run.folder / "parity.json").read_text())
    assert written == json.loads(json.dumps(parity.as_dict()))


def test_it_is_a_run_like_any_and_says_by_whom_it_was_taught(
    found: Distillation, teacher: Run, small_log: PreparedLog, tmp_path: Path
) -> None:
    config = yaml.safe_load((found.run.folder / "config.yaml").read_text())
    assert config["method"] == "naive"
    assert config["teacher"]["run"] == str(teacher.folder)
    assert config["teacher"]["method"] == "mean_of"
    # Its settings make it again, and it needs its teacher no more.
    again = RunSettings.make(config=load_config(found.run.folder / "config.yaml"))
    assert again == found.run.settings
    repeated = train(small_log, again, tmp_path / "again")
    assert identical(saved_weights(repeated.folder), saved_weights(found.run.folder))
    alone = shutil.copytree(found.run.folder, tmp_path / "elsewhere" / "student")
    assert type(Run(alone).load()) is Naive
    assert export(alone, tmp_path / "bundle").info.parity.largest_difference < 1e-6
    assert evaluate(alone, small_log).value("cvr_auc") > 0.5
    assert "teacher" not in RunSettings.make("naive").to_yaml()


def test_a_killed_one_goes_on_with_the_same_teacher_alone(
    teacher: Run, small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = shutil.copytree(teacher.folder, tmp_path / "teacher")
    sets = [*SETS, "epochs=3"]
    whole = distill(own, small_log, tmp_path / "whole", overrides=sets)
    with killed(monkeypatch, lambda loop, saved: loop.position.epoch == 2):
        distill(own, small_log, tmp_path / "run", overrides=sets)
    other = train(small_log, small_settings("naive"), tmp_path / "other")
    kept = own.rename(tmp_path / "kept")
    shutil.copytree(other.folder, own)
    with pytest.raises(InputError, match="other settings or data: remove it to start anew"):
        distill(own, small_log, tmp_path / "run", overrides=sets)
    settings = RunSettings.make(config=load_config(tmp_path / "run.partial" / "config.yaml"))
    with pytest.raises(InputError, match="has other weights than when this was begun: remove"):
        train(small_log, settings, tmp_path / "run")
    shutil.rmtree(own)
    kept.rename(own)
    resumed = distill(own, small_log, tmp_path / "run", overrides=sets)
    assert identical(saved_weights(resumed.run.folder), saved_weights(whole.run.folder))
    assert [record["epoch"] for record in resumed.run.history] == [1, 2, 3]


def test_a_log_with_an_exposure_of_which_rows_were_left_out(tmp_path: Path) -> None:
    log = exposed_log(tmp_path / "log", negative_rate=0.5)
    teacher = train(log, "click_prior", tmp_path / "teacher")
    found = distill(teacher, log, tmp_path / "student", overrides=SETS)
    assert found.parity.pctr_difference < 0.1 * found.parity.mean_pctr
    at = [evaluate(found.run, log, exposure_at=slot) for slot in ("1", "4")]
    assert at[0].value("ctr_pcoc") > at[1].value("ctr_pcoc") + 0.1
    assert at[0].value("cvr_nll") == at[1].value("cvr_nll")


def test_what_cannot_be_is_refused(
    teacher: Run, small_log: PreparedLog, found: Distillation, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="cvr_weight is an option of naive.* leave it out"):
        distill(teacher, small_log, out, overrides=["cvr_weight=2"])
    with pytest.raises(InputError, match="no split 'dev'"):
        distill(teacher, small_log, out, split="dev")
    with pytest.raises(InputError, match="exists"):
        distill(teacher, small_log, found.run.folder)
    with pytest.raises(InputError, match="is not the log that"):
        distill(teacher, exposed_log(tmp_path / "log"), out)
    settings = found.run.settings.model_dump()
    with pytest.raises(InputError, match="a teacher teaches naive, not esmm"):
        RunSettings.make("esmm", config=settings)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_the_command(teacher: Run, small_log: PreparedLog, tmp_path: Path) -> None:
    out = tmp_path / "student"
    sets = [part for text in [*SETS, "epochs=1"] for part in ("--set", text)]
    printed = succeed("distill", teacher.folder, small_log.folder, "--out", out, *sets)
    lines = printed.splitlines()
    rows = small_log.split("valid").rows
    assert lines[0] == f"student against teacher on {rows:,} rows of the valid split"
    assert [line.split()[0] for line in lines[1:4]] == ["ctr_auc", "cvr_auc", "true_cvr_auc"]
    assert "MB, scoring " in printed
    done = run("distill", teacher.folder, small_log.folder, "--out", out)
    assert (done.code, "name another --out" in done.err) == (2, True)
