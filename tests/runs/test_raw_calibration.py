"""Calibrators fitted and judged on raw logs."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.commands import run as command
from helpers.commands import succeed
from helpers.runs import small_settings
from postclick import calibrate, export, prepare, simulate, train
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.errors import InputError
from postclick.logits import sigmoid
from postclick.runs.run import Run
from postclick.runs.run_scorer import RunScorer


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """Rows to train on, of two later days, and those of one of them with weights."""
    world = simulate("confounded", rows=12_000, seed=0, ctr=0.25, cvr=0.25, users=300, items=80)
    weight = pl.Series(np.random.default_rng(0).choice([0.0, 1.0, 3.0], world.train.height))
    train_rows = world.train.with_columns(stands_for=weight)
    days = world.test.with_columns(stands_for=weight.head(world.test.height))
    return {"train": train_rows, "monday": days.head(1_500), "tuesday": days.tail(-1_500)}


@pytest.fixture(scope="module")
def log(rows: dict[str, pl.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    """Monday is its validation split, and Tuesday its test split."""
    world = simulate("confounded", rows=1_000, seed=0, ctr=0.25, cvr=0.25, users=300, items=80)
    schema = LogSchema.parse({**world.schema.model_dump(), "weight": "stands_for"})
    train_log, monday, tuesday = (FrameSource(rows[day]) for day in ("train", "monday", "tuesday"))
    splits = LogSplits(schema, train_log, tuesday, monday)
    return prepare(splits, tmp_path_factory.mktemp("days") / "data")


@pytest.fixture(scope="module")
def trained(log: PreparedLog) -> Run:
    """It over-predicts: a learning rate far too high for one epoch."""
    return train(log, small_settings("escm2_ipw", "lr=0.05", seed=3), log.folder.parent / "run")


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    shutil.copytree(trained.folder, tmp_path / "run")
    return Run(tmp_path / "run")


@pytest.mark.parametrize("weights", ["none", "propensity"])
@pytest.mark.parametrize("kind", ["platt", "temperature", "isotonic"])
def test_a_raw_log_gives_the_calibrator_of_the_prepared_one(
    run: Run, log: PreparedLog, rows: dict[str, pl.DataFrame], kind: Any, weights: Any
) -> None:
    """Its rows come in another order: folds differ, and what is fitted on all of them does not."""
    prepared = calibrate(run, log, kind, weights=weights, judge="test")
    raw = calibrate(run, None, kind, weights=weights, log=rows["monday"], judge_log=rows["tuesday"])
    z = np.linspace(-4, 2, 50)
    found, expected = raw.calibrator.apply(z), prepared.calibrator.apply(z)
    np.testing.assert_allclose(sigmoid(found), sigmoid(expected), atol=2e-4)
    on, then = raw.document.fitted_on, prepared.document.fitted_on
    assert (on.log, on.split, then.log, then.split) == ("frame", None, None, "valid")
    assert (on.rows, on.clicks, on.conversions) == (then.rows, then.clicks, then.conversions)
    assert on.effective_sample_size == pytest.approx(then.effective_sample_size, rel=1e-5)
    assert raw.after is not None and prepared.after is not None
    assert raw.after.pcoc == pytest.approx(prepared.after.pcoc, rel=1e-3)
    assert raw.after.nll == pytest.approx(prepared.after.nll, rel=1e-3)
    assert raw.before is not None and prepared.before is not None
    assert raw.before.nll == pytest.approx(prepared.before.nll, rel=1e-5)
    assert raw.before.truth.keys() == prepared.before.truth.keys() != set()


def test_it_is_read_again_applied_and_exported(
    run: Run, rows: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    found = calibrate(run, log=rows["monday"], kind="platt")
    text = (run.folder / "calibration.json").read_text()
    content = json.loads(text)
    assert content["format"] == 2
    assert content["fitted_on"]["log"] == "frame" and "split" not in content["fitted_on"]
    again = Run(run.folder).calibration
    assert again == found.calibrator
    rows_to_score = rows["tuesday"]
    pcvr = RunScorer(run).score(rows_to_score)["pcvr"]
    bundle = export(run, tmp_path / "bundle")
    assert (bundle.score(rows_to_score)["pcvr"] - pcvr).abs().max() < 1e-6  # type: ignore[operator]
    plain = RunScorer(run, calibrated=False).score(rows_to_score)["pcvr"].to_numpy()
    expected = sigmoid(again.apply(np.log(plain / (1 - plain.astype(np.float64)))))
    np.testing.assert_allclose(pcvr.to_numpy(), expected, atol=1e-6)


def test_validation_clicks_may_be_judged_on_a_later_log(
    run: Run, log: PreparedLog, rows: dict[str, pl.DataFrame]
) -> None:
    found = calibrate(run, log, "platt", judge_log=rows["tuesday"])
    expected = calibrate(run, log, "platt", judge="test")
    assert found.document == expected.document
    assert found.document.model_dump(mode="json")["format"] == 1
    assert found.after is not None and expected.after is not None
    assert found.after.nll == pytest.approx(expected.after.nll, rel=1e-5)


def test_logs_that_do_not_go_together_are_refused(
    run: Run, log: PreparedLog, rows: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    monday, tuesday = rows["monday"], rows["tuesday"]
    monday.write_parquet(tmp_path / "monday.parquet")
    one = tmp_path / "monday.parquet"
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "give one log to fit on"),
        ({"data": log, "log": monday}, "give one log to fit on"),
        ({"log": monday, "judge": "test"}, "judge is a split of the prepared log: give judge_log"),
        ({"data": log, "judge": "test", "judge_log": tuesday}, "judge is a split of the prepared"),
        ({"log": monday, "judge_log": monday}, "is what the calibrator is fitted on"),
        ({"log": one, "judge_log": [one]}, "monday.parquet is what the calibrator is fitted on"),
        ({"log": monday.drop("click")}, "no column 'click', the click of the run's schema"),
        ({"log": monday.filter(click=0)}, "there are 0 and 0: give a log of more days with log"),
        ({"log": tmp_path / "none.csv"}, "none.csv"),
    ]
    for options, message in cases:
        with pytest.raises(InputError, match=message):
            calibrate(run, **options)
    assert not (run.folder / "calibration.json").exists()


def test_the_command_line(run: Run, rows: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    names = {}
    for day in ("monday", "tuesday"):
        names[day] = str(tmp_path / f"{day}.csv")
        rows[day].write_csv(names[day])
    call = ["calibrate", str(run.folder), "--log", names["monday"], "--kind", "platt"]
    clicks = rows["monday"].filter((pl.col("click") == 1) & (pl.col("stands_for") > 0))
    lines = succeed(*call, "--judge-log", names["tuesday"]).splitlines()
    assert lines[0].startswith("platt (")
    assert lines[0].endswith(
        f"fitted on {clicks.height:,} clicks, {int(clicks['conversion'].sum())} conversions of "
        f"{names['monday']}"
    )
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["log", "clicked", "PCOC"],
        ["log", "clicked", "NLL"],
        ["judge", "clicked", "PCOC"],
    ]
    told = json.loads(succeed(*call, "--judge-log", names["tuesday"], "--json"))
    assert (
        told["judged"]["log"] == [names["tuesday"]] and told["fitted_on"]["log"] == names["monday"]
    )
    same = command(*call, "--judge-log", names["monday"])
    assert same.code == 2 and "give other rows with --judge-log\n" in same.err
