"""A pCVR that is not meant to be the rate on clicks is fitted to it only if insisted on."""

from __future__ import annotations

from pathlib import Path

import pytest

import postclick
from helpers.commands import run as command
from methods.selection_log import frame, prepared
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.distillation.distill import distill
from postclick.runs.run import Run


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    return prepared(frame(8_000, 1.5), tmp_path_factory.mktemp("rate") / "data")


@pytest.fixture(scope="module")
def run(log: PreparedLog) -> Run:
    settings = postclick.RunSettings.make("selection", overrides=["dependence=1.5"])
    return postclick.train(log, settings, log.folder.parent / "run")


def mean_on_clicks(run: Run, log: PreparedLog) -> tuple[float, float]:
    """PCOC of clicked validation rows, before and after the calibrator."""
    found = postclick.calibrate(run, log, "platt", anyway=True).document.validation
    return found.before.pcoc, found.after.pcoc


def test_it_is_refused_with_a_mend_that_works(log: PreparedLog, run: Run) -> None:
    with pytest.raises(InputError, match="rate if everybody clicked.*; anyway=True insists"):
        postclick.calibrate(run, log)
    assert run.calibration is None
    refused = command("calibrate", run.folder, log.folder)
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "--anyway insists" in refused.err
    with pytest.raises(InputError, match="anyway"):
        postclick.calibrate(run, log=frame(500, 1.5, seed=3))
    assert postclick.calibrate(run, log, "none").calibrator.kind == "none"
    done = command("calibrate", run.folder, log.folder, "--kind", "platt", "--anyway")
    assert done.code == 0
    assert run.calibration is not None and run.calibration.kind == "platt"


def test_insisting_undoes_what_the_method_is_for(log: PreparedLog, run: Run) -> None:
    before, after = mean_on_clicks(run, log)
    assert before < 0.92
    assert after == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("method", "option", "differs"),
    [
        ("naive", "cvr_weight=1", False),
        ("selection", "folds=5", True),
        ("selection", "dependence=0.5", True),
        ("selection", "dependence=0", False),
        ("selection/no_dependence", "folds=5", False),
        ("mean_of", "members=[naive,selection]", True),
        ("mean_of", "members=[naive,selection/no_dependence]", False),
    ],
)
def test_settings_say_whether_a_rate_is_one_of_clicks(
    method: str, option: str, differs: bool
) -> None:
    assert postclick.RunSettings.make(method, overrides=[option]).differs_on_clicks == differs


def test_a_student_has_learnt_the_rate_of_its_teacher(
    log: PreparedLog, run: Run, tmp_path: Path
) -> None:
    sets = ["epochs=1", "threads=1"]
    student = distill(run, log, tmp_path / "student", overrides=sets).run
    with pytest.raises(InputError, match="rate if everybody clicked"):
        postclick.calibrate(Run(student.folder), log)
