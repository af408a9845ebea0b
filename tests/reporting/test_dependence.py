"""The profile of a dependence, as the report and `explain` show it."""

from __future__ import annotations

import html
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import commands
from methods.selection_log import frame, prepared
from postclick import compare
from postclick.linear.likelihood_ratio import CUT, Profile
from postclick.linear.profile import profile
from postclick.methods.dependence import Dependence
from postclick.reporting.dependence import dependence_plots, dependence_table
from postclick.runs.run import Run


def told(loss: Any, limits: tuple[float, float] = (-3.0, 4.0)) -> Dependence:
    found = profile(loss, step=0.5, limits=limits)
    return Dependence(found.best, found)


PARABOLA = told(lambda s: 8 * (s - 0.6) ** 2)


def test_the_figure_has_all_values_and_shades_the_interval() -> None:
    (plot,) = dependence_plots(PARABOLA)
    assert plot.note.startswith("Dependence s = 0.60 (0.11 to 1.09), s = 0 rejected.")
    assert "goes on" not in plot.note
    (line,) = plot.figure["data"]
    expected = [-8 * (s - 0.6) ** 2 for s in line["x"]]
    np.testing.assert_allclose(line["y"], expected, atol=1e-9)
    (shade,) = [s for s in plot.figure["layout"]["shapes"] if s["type"] == "rect"]
    half = (CUT / 8) ** 0.5
    np.testing.assert_allclose([shade["x0"], shade["x1"]], [0.6 - half, 0.6 + half], atol=1e-6)


def test_an_open_end_is_shaded_to_the_edge_and_told() -> None:
    (plot,) = dependence_plots(told(lambda s: 0.1 * (s - 3) ** 2))
    (shade,) = [s for s in plot.figure["layout"]["shapes"] if s["type"] == "rect"]
    assert shade["x1"] == plot.figure["layout"]["xaxis"]["range"][1] == 4.1
    assert "goes on beyond what was tried" in plot.note


def test_the_table_says_which_values_are_within() -> None:
    table = dependence_table("selection", PARABOLA)
    assert table is not None
    for s, loss, within in table.rows:
        assert isinstance(s.sort, float)
        assert loss.sort == pytest.approx(-8 * (s.sort - 0.6) ** 2, abs=1e-9)
        assert (within.text == "yes") == (8 * (s.sort - 0.6) ** 2 <= CUT)
    assert {row[2].text for row in table.rows} == {"yes", "no"}


def test_a_dependence_that_was_set_has_no_profile() -> None:
    fixed = Dependence(0.5, None)
    assert dependence_plots(fixed) == []
    assert dependence_table("selection", fixed) is None
    assert Dependence.from_dict(fixed.as_dict()) == fixed


@pytest.mark.parametrize("ends", [(-inf, 1.0), (-1.0, inf), (-0.5, 1.5)])
def test_json_gives_it_back(ends: tuple[float, float]) -> None:
    found = Dependence(0.5, Profile((0.0, 0.5), (0.2, 0.0), 0.5, *ends, 0.2))
    data = found.as_dict()
    assert inf not in data["profile"].values()
    assert Dependence.from_dict(data) == found


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dependence")
    log = prepared(frame(12_000, 1.5), folder / "data")
    arms = ["selection", "selection/no_dependence"]
    compare(log, arms, folder / "out", seeds=1, trials=0, workers=1)
    return folder / "out"


def test_the_report_shows_the_profile(compared: Path) -> None:
    page = html.unescape((compared / "report.html").read_text(encoding="utf-8"))
    runs = [Run(path.parent) for path in compared.rglob("model.safetensors")]
    (run,) = [one for one in runs if one.settings.options.get("dependence") is None]
    statement = run.explain().dependence.statement
    assert f"D{statement[1:]}. With nothing hidden:" in page
    assert page.count("likelihood of the dependence s</p>") == 1  # of the run that has profiled it
    assert page.count("<h4>Dependence on a hidden cause</h4>") == 1
    assert "Dependence s = 0, as set. With nothing hidden:" in page


def test_explain_says_the_statement_and_the_profile(compared: Path) -> None:
    runs = [Run(path.parent) for path in sorted(compared.rglob("model.safetensors"))]
    for run in runs:
        found = run.explain().dependence
        assert found is not None
        said = commands.succeed("explain", run.folder)
        assert said.startswith(f"D{found.statement[1:]}. With nothing hidden: Coefficient")
        assert ("Profile of dependence s" in said) == (found.profile is not None)
        if found.profile is None:
            continue
        rows = [line for line in said.split("What carries")[0].splitlines() if line[:1] == "│"]
        assert len(rows) == len(found.profile.at)
        starred = [line for line in rows if "*" in line]
        assert len(starred) == sum(loss <= CUT for loss in found.profile.loss)
