"""`calibrate` on a trained run: what it writes, what reads it, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import postclick
from helpers.commands import run as command
from helpers.commands import succeed
from helpers.runs import small_settings
from postclick.calibration.calibration_file import CALIBRATION
from postclick.calibration.calibrator import KINDS, Calibrator
from postclick.calibration.fit import cross_fitted, fit, propensity_weights
from postclick.calibration.reliability import judge_calibrator
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.judging.judge import judge
from postclick.judging.labels import split_labels
from postclick.judging.predictions import Predictions
from postclick.logits import sigmoid
from postclick.metrics.likelihood import cross_entropy
from postclick.runs.clicked import Clicked, clicked_logits, cvr_logits
from postclick.runs.run import Run
from postclick.system.files import read_json, write_json
from postclick.training.train import train


@pytest.fixture(scope="module")
def trained(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """It over-predicts: a learning rate far too high for one epoch."""
    settings = small_settings("escm2_ipw", "lr=0.05", seed=3)
    return train(small_log, settings, tmp_path_factory.mktemp("run") / "run")


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    shutil.copytree(trained.folder, tmp_path / "run")
    return Run(tmp_path / "run")


def test_logits_are_those_of_the_method(run: Run, small_log: PreparedLog) -> None:
    kept = Predictions()
    judge(run.load(), small_log, "valid", keep=kept)
    labels, frame = split_labels(small_log, "valid"), kept.frame()
    rows = clicked_logits(run, small_log)
    for found, name in ((rows.ctr_logit, "ctr_logit"), (rows.cvr_logit, "cvr_logit")):
        np.testing.assert_allclose(found, frame[name].to_numpy()[labels.click], atol=1e-5)
    np.testing.assert_array_equal(rows.conversion, labels.conversion[labels.click])
    assert rows.clip == (0.01, 0.99)
    every = cvr_logits(run, small_log, "valid")
    np.testing.assert_allclose(every, frame["cvr_logit"].to_numpy(), atol=1e-5)


@pytest.mark.parametrize("weights", ["none", "propensity"])
@pytest.mark.parametrize("kind", ["isotonic", "platt", "temperature"])
def test_what_is_kept_is_fitted_on_all_validation_clicks(
    run: Run, small_log: PreparedLog, kind: Any, weights: Any
) -> None:
    assert run.calibration is None
    before = {p.name: p.read_bytes() for p in run.folder.iterdir() if p.is_file()}
    found = postclick.calibrate(run, small_log, kind, weights=weights)
    rows = clicked_logits(run, small_log)
    w = propensity_weights(rows.ctr_logit, rows.clip) if weights == "propensity" else None
    wanted = fit(kind, rows.cvr_logit, rows.conversion, w)
    assert found.calibrator == Calibrator.from_json(wanted.to_json())
    z = np.linspace(-6, 6, 50)
    assert run.calibration is not None and run.calibration.kind == kind
    np.testing.assert_allclose(run.calibration.apply(z), wanted.apply(z), rtol=1e-12)
    on, valid = found.document.fitted_on, small_log.split("valid")
    assert (on.split, on.rows, on.clicks, on.conversions) == (
        "valid", valid.rows, valid.clicks, valid.conversions,
    )  # fmt: skip
    assert (on.weights, on.data_fingerprint) == (weights, small_log.fingerprint)
    assert (on.clip is None) == (weights == "none")
    after = {p.name: p.read_bytes() for p in run.folder.iterdir() if p.is_file()}
    assert set(after) - set(before) == {CALIBRATION}
    assert all(after[name] == content for name, content in before.items())


def test_after_is_not_on_the_rows_it_was_fitted_on(run: Run, small_log: PreparedLog) -> None:
    found = postclick.calibrate(run, small_log, "isotonic")
    rows, told = clicked_logits(run, small_log), found.document.validation
    labels = split_labels(small_log, "valid")
    logit = cvr_logits(run, small_log, "valid")
    plain = judge_calibrator(Calibrator("none"), logit, labels)
    assert (told.before.pcoc, told.before.nll) == pytest.approx((plain.pcoc, plain.nll))
    inside = judge_calibrator(found.calibrator, logit, labels)
    assert inside.nll is not None and told.after.nll > inside.nll
    assert told.after.pcoc != inside.pcoc
    assert told.before.weighted_nll is None
    assert rows.conversion.sum() == found.document.fitted_on.conversions


def test_the_best_kind_is_the_simplest_within_a_standard_error_of_the_least_nll(
    run: Run, small_log: PreparedLog
) -> None:
    each = {
        kind: postclick.calibrate(run, small_log, kind).document.validation.after.nll
        for kind in ("none", "temperature", "platt", "isotonic")
    }
    best = postclick.calibrate(run, small_log)
    assert best.document.validation.tried == pytest.approx(each)
    rows = clicked_logits(run, small_log)
    w = np.ones(rows.conversion.size)
    loss = {
        kind: cross_entropy(cross_fitted(kind, rows.cvr_logit, rows.conversion, w), rows.conversion)
        for kind in KINDS
    }
    least = loss[min(KINDS, key=lambda kind: each[kind])]
    within = [
        kind for kind in KINDS if (d := loss[kind] - least).mean() <= d.std() / np.sqrt(d.size)
    ]
    assert best.calibrator.kind == within[0]


@pytest.mark.parametrize(("shift", "wanted"), [(0.0, "none"), (1.5, "platt")])
def test_a_calibrator_is_taken_only_where_one_is_needed(
    run: Run,
    small_log: PreparedLog,
    monkeypatch: pytest.MonkeyPatch,
    shift: float,
    wanted: str,
) -> None:
    """Predictions that are right, and the same with all odds too high by a factor."""
    rng = np.random.default_rng(1)
    z = rng.normal(-1, 1.2, 3_000)
    v = rng.random(z.size) < sigmoid(z)
    rows = Clicked(z, z + shift, v, (0.01, 0.99))
    monkeypatch.setattr("postclick.runs.calibrate.clicked_logits", lambda *_: rows)
    found = postclick.calibrate(run, small_log)
    assert found.calibrator.kind == wanted
    if shift:
        assert found.calibrator.intercept == pytest.approx(-shift, abs=0.2)


def test_a_split_is_judged_on_request_only(run: Run, small_log: PreparedLog) -> None:
    alone = postclick.calibrate(run, small_log, "platt")
    assert alone.before is None and alone.after is None
    judged = postclick.calibrate(run, small_log, "platt", judge="test")
    assert judged.calibrator == alone.calibrator
    assert judged.before is not None and judged.after is not None
    assert judged.before.pcoc == pytest.approx(run.evaluate(small_log).value("cvr_pcoc"), rel=1e-4)
    assert set(judged.after.truth) == {"clicked", "unclicked", "entire"}
    with pytest.raises(InputError, match="the calibrator is fitted on valid"):
        postclick.calibrate(run, small_log, "platt", judge="valid")
    with pytest.raises(InputError, match="no split 'tset'"):
        postclick.calibrate(run, small_log, "platt", judge="tset")


def test_another_log_is_refused(
    run: Run, small_log: PreparedLog, small_raw: Any, tmp_path: Path
) -> None:
    from postclick.data.read.log_source import FrameSource
    from postclick.data.splits import LogSplits

    splits = LogSplits(small_raw.schema, FrameSource(small_raw.train), FrameSource(small_raw.test))
    other = postclick.prepare(splits, tmp_path / "other", seed=9)
    with pytest.raises(InputError, match="is not the log that"):
        postclick.calibrate(run, other, "platt")
    assert not (run.folder / CALIBRATION).exists()
    postclick.calibrate(run, small_log, "platt")
    data = read_json(run.folder / CALIBRATION)
    data["fitted_on"]["data_fingerprint"] = other.fingerprint
    write_json(run.folder / CALIBRATION, data)
    with pytest.raises(InputError, match="was fitted on another log than the run"):
        _ = run.calibration


def test_a_damaged_file_is_told(run: Run, small_log: PreparedLog) -> None:
    postclick.calibrate(run, small_log, "platt")
    path = run.folder / CALIBRATION
    good = read_json(path)
    cases: list[tuple[Any, str]] = [
        ({**good, "format": 3}, "has format 3, this version reads 1 and 2"),
        ([], "has format None"),
        ({k: v for k, v in good.items() if k != "fitted_on"}, "is damaged: .*fitted_on"),
        ({**good, "calibrator": {"kind": "platt"}}, "is damaged: calibrator: 'slope' is missing"),
        ({**good, "more": 1}, "is damaged: .*more"),
    ]
    for data, message in cases:
        write_json(path, data)
        with pytest.raises(InputError, match=message):
            _ = run.calibration
    path.write_text(json.dumps(good)[:-9])
    with pytest.raises(InputError, match="is damaged"):
        _ = run.calibration


def test_wrong_options_are_refused(run: Run, small_log: PreparedLog) -> None:
    unknown: Any = "beta"
    with pytest.raises(InputError, match="kind is 'beta' .*: choose isotonic, platt"):
        postclick.calibrate(run, small_log, unknown)
    with pytest.raises(InputError, match="weights is 'beta': choose none or propensity"):
        postclick.calibrate(run, small_log, weights=unknown)
    with pytest.raises(InputError, match='give weights="propensity" with it'):
        postclick.calibrate(run, small_log, clip=(0.1, 0.9))
    for clip in ((0.5, 0.1), (0.0, 0.9), (float("nan"), 0.9)):
        with pytest.raises(InputError, match="is not a range of probabilities"):
            postclick.calibrate(run, small_log, weights="propensity", clip=clip)


def test_few_validation_conversions_are_one_line(
    run: Run, small_log: PreparedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = clicked_logits(run, small_log)
    rows.conversion[np.flatnonzero(rows.conversion)[9:]] = False
    monkeypatch.setattr("postclick.runs.calibrate.clicked_logits", lambda *_: rows)
    for kind in ("best", "isotonic", "none"):
        with pytest.raises(InputError, match="there are 9 and") as caught:
            postclick.calibrate(run, small_log, kind)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_the_command_prints_before_and_after(run: Run, small_log: PreparedLog) -> None:
    out = succeed("calibrate", run.folder, small_log.folder, "--judge", "test")
    lines = out.splitlines()
    assert "validation clicks" in lines[0] and lines[1].startswith("cross-fitted NLL by kind: none")
    assert any(line.startswith("valid  clicked    PCOC") and " -> " in line for line in lines)
    assert any(line.startswith("test   entire     cvr_bias") for line in lines)
    assert lines[-1] == f"written: {run.folder / CALIBRATION}"
    weighted = succeed(
        *("calibrate", run.folder, small_log.folder, "--kind", "platt", "--clip", "0.05"),
        *("--weights", "propensity"),
    )
    assert "platt (slope " in weighted and "valid  weighted   NLL" in weighted
    assert "pCTR within 0.05 and 1" in weighted


def test_the_command_speaks_json(run: Run, small_log: PreparedLog) -> None:
    arguments = ("calibrate", run.folder, small_log.folder, "--kind", "temperature", "--json")
    printed = json.loads(succeed(*arguments))
    assert printed.pop("judged") is None
    assert printed == read_json(run.folder / CALIBRATION)
    judged = json.loads(succeed(*arguments, "--judge", "test"))["judged"]
    assert judged["split"] == "test"
    assert len(judged["after"]["reliability"]) == 10
    assert set(judged["before"]["truth"]) == {"clicked", "unclicked", "entire"}


def test_the_command_refuses_in_one_line(run: Run, small_log: PreparedLog) -> None:
    for more in (("--kind", "beta"), ("--judge", "valid"), ("--weights", "no")):
        done = command("calibrate", run.folder, small_log.folder, *more)
        assert done.code == 2 and done.err.count("\n") == 1, done.err
    done = command("calibrate", run.folder, run.folder)
    assert done.code == 2 and done.err.count("\n") == 1, done.err
