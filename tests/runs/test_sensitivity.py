"""The band of pCVR where nobody clicked, on logs whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

import postclick
from methods.selection_log import frame, prepared
from postclick.cli import app
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.reporting.sensitivity import sensitivity_svg
from postclick.runs.run import Run

S = 1.5


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    return prepared(frame(40_000, S, seed=3), tmp_path_factory.mktemp("sensitivity") / "data")


@pytest.fixture(scope="module")
def plain(log: PreparedLog) -> Run:
    """A run that knows of no hidden cause."""
    return postclick.train(log, "click_prior", log.folder.parent / "plain")


@pytest.fixture(scope="module")
def fixed(log: PreparedLog) -> Run:
    settings = postclick.RunSettings.make("selection", overrides=[f"dependence={S}"])
    return postclick.train(log, settings, log.folder.parent / "fixed")


def truth(log: PreparedLog) -> float:
    windows = log.windows("test")
    return float(np.concatenate([w.truth["true_cvr"] for w in windows]).mean())


def test_at_the_true_dependence_any_run_gives_the_true_level(log: PreparedLog, plain: Run) -> None:
    found = postclick.sensitivity(plain, log, low=0, high=S, values=2)
    at_zero, at_truth = found.points
    assert at_truth.entire == pytest.approx(truth(log), rel=0.06)
    assert at_zero.entire > 1.2 * truth(log)
    assert found.estimate is None
    assert found.clicked == pytest.approx(found.conversions / found.clicks, rel=0.1)


def test_at_its_own_dependence_a_selection_run_gives_what_it_serves(
    log: PreparedLog, fixed: Run
) -> None:
    found = postclick.sensitivity(fixed, log, low=S - 0.5, high=S, values=2)
    served = {
        m.space: m.value for m in fixed.evaluate(log, "test").metrics if m.metric == "cvr_bias"
    }
    assert found.points[-1].entire == pytest.approx(truth(log) + served["entire"], rel=1e-4)


def test_the_band_falls_as_the_dependence_rises(log: PreparedLog, plain: Run) -> None:
    found = postclick.sensitivity(plain, log)
    assert [one.s for one in found.points] == sorted({*np.linspace(-1, 2, 13).round(10), 0.0})
    unclicked = [one.unclicked for one in found.points]
    assert unclicked == sorted(unclicked, reverse=True)
    entire = [one.entire for one in found.points]
    # All impressions lie between those without and those with a click.
    for one, of_all in zip(unclicked, entire, strict=True):
        assert min(one, found.clicked) - 1e-9 <= of_all <= max(one, found.clicked) + 1e-9


def test_what_is_wrong_is_told(log: PreparedLog, plain: Run) -> None:
    for arguments, words in (
        ({"low": 1, "high": 0}, "range"),
        ({"high": 9}, "range"),
        ({"values": 1}, "values"),
        ({"latent": "norml"}, "did you mean 'normal'"),
        ({"split": "nowhere"}, "nowhere"),
    ):
        with pytest.raises(InputError, match=words):
            postclick.sensitivity(plain, log, **arguments)


def test_the_command_prints_and_draws(log: PreparedLog, fixed: Run, tmp_path: Path) -> None:
    out = tmp_path / "band"
    given = ["sensitivity", str(fixed.folder), str(log.folder), "--values", "3", "--out", str(out)]
    told = CliRunner().invoke(app, given)
    assert told.exit_code == 0, told.output
    assert "mean pCVR where nobody clicked is" in told.output
    as_json = CliRunner().invoke(app, [*given[:-2], "--json"])
    document = json.loads(as_json.output)
    assert document == json.loads((out / "sensitivity.json").read_text())
    assert [one["s"] for one in document["points"]] == [-1.0, 0.0, 0.5, 2.0]
    drawing = ElementTree.fromstring((out / "sensitivity.svg").read_text())
    assert len(drawing.findall("{*}polyline")) == 3
    assert drawing.findall("{*}rect") == []


def test_the_interval_of_a_run_is_shaded(log: PreparedLog, plain: Run) -> None:
    found = postclick.sensitivity(plain, log, values=3)
    shaded = replace(found, estimate=(0.9, 0.5, float("inf")))
    drawing = ElementTree.fromstring(sensitivity_svg(shaded))
    (rect,) = drawing.findall("{*}rect")
    assert float(rect.get("width", 0)) > 0
    assert shaded.as_dict()["estimate"] == [0.9, 0.5, None]
