"""The section on calibration: figures of the studies, and none without them."""

import copy
import shutil
from pathlib import Path
from statistics import fmean

import pytest

from helpers.comparison import HOSTILE
from postclick.reporting.calibration import calibration_notes, calibration_plots, calibration_table
from postclick.reporting.folder import read_comparison
from postclick.reporting.page import report
from postclick.runs.calibration_study import STUDY
from postclick.system.files import read_json, write_json


def test_the_table_has_means_over_seeds(with_truth: Path) -> None:
    for part in read_comparison(with_truth).parts:
        table = calibration_table(part, "test")
        assert table is not None
        assert len(table.rows) == 5 * 7
        titles = [(column.title, column.below) for column in table.columns]
        assert titles[2:5] == [("PCOC", "clicked"), ("NLL", "clicked"), ("ECE", "clicked")]
        assert titles[5:] == [
            (name, space)
            for name in ("cvr_bias", "true_cvr_nll")
            for space in ("clicked", "unclicked", "entire")
        ]
        runs = part.curves["esmm"]["runs"]
        arms = [read_json(with_truth / run / STUDY)["arms"][2] for run in runs]
        row = next(r for r in table.rows if (r[0].text, r[1].text) == ("esmm", "platt"))
        assert len(runs) == 3
        assert row[2].sort == pytest.approx(fmean(arm["judged"]["pcoc"] for arm in arms))
        bias = fmean(arm["judged"]["truth"]["entire"]["cvr_bias"] for arm in arms)
        assert row[7].sort == pytest.approx(bias)


def test_each_method_has_a_plot_of_its_first_seed(with_truth: Path) -> None:
    part = read_comparison(with_truth).parts[0]
    plots = calibration_plots(part, "test")
    assert [plot.title for plot in plots] == [f"Reliability: {method}" for method in part.curves]
    study = read_json(with_truth / part.curves["naive"]["runs"][0] / STUDY)
    lines = [trace for trace in plots[0].figure["data"] if "name" in trace]
    assert [trace["name"] for trace in lines] == [line.name for line in plots[0].legend]
    assert lines[0]["name"] == "uncalibrated" and len(lines) == 7
    found = study["arms"][0]["judged"]["reliability"]
    assert list(lines[0]["x"]) == found["predicted"]
    reach = [y + up for y, up in zip(found["observed"], lines[0]["error_y"]["array"], strict=True)]
    assert reach == pytest.approx(found["high"])


def test_the_page_has_the_section(with_truth: Path) -> None:
    page = report(with_truth).read_text(encoding="utf-8")
    assert page.count('<section id="calibration">') == 1
    assert '<a href="#calibration">' in page
    assert page.count("calibrated on validation clicks (means over 3 seeds)</p>") == 2
    assert HOSTILE not in page


def test_without_studies_there_is_no_section(without_truth: Path) -> None:
    page = report(without_truth).read_text(encoding="utf-8")
    assert 'id="calibration"' not in page and "#calibration" not in page


def test_a_method_without_all_its_studies_is_left_out(with_truth: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(with_truth, folder)
    (folder / "runs/esmm/seed-1" / STUDY).unlink()
    fixed = next(part for part in read_comparison(folder).parts if part.name == "fixed")
    assert "esmm" not in fixed.studies and "naive" in fixed.studies


def test_what_could_not_be_fitted_is_told(with_truth: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(with_truth, folder)
    path = folder / "tuned/naive/seed-0" / STUDY
    study = read_json(path)
    study["arms"][1] = {"kind": "temperature", "weights": "none", "undefined": "too few: mend"}
    write_json(path, study)
    part = read_comparison(folder).parts[0]
    assert "naive, temperature: too few: mend" in calibration_notes(part)
    table = calibration_table(part, "test")
    assert table is not None
    row = next(r for r in table.rows if (r[0].text, r[1].text) == ("naive", "temperature"))
    assert {cell.text for cell in row[2:]} == {"-"}
    assert row[2].hint == "too few: mend" and row[2].sort is None
    assert "too few: mend" in report(folder).read_text(encoding="utf-8")


def test_harm_to_the_entire_space_is_counted(with_truth: Path) -> None:
    part = copy.deepcopy(read_comparison(with_truth).parts[0])
    part.studies.clear()

    def arm(kind: str, pcoc: float, bias: float, weights: str = "none") -> dict[str, object]:
        judged = {"pcoc": pcoc, "truth": {"entire": {"cvr_bias": bias}}}
        return {"kind": kind, "weights": weights, "judged": judged}

    arms = [
        arm("none", 0.7, -0.02),
        arm("platt", 0.9, 0.05),  # nearer to 1, further from the truth
        arm("isotonic", 1.1, 0.01),  # nearer to both
        arm("temperature", 0.6, 0.3),  # no help for clicks: not counted
        arm("platt", 0.9, 0.05, "propensity"),  # weighted: not counted
    ]
    part.studies["naive"] = [{"arms": arms}]
    (note,) = calibration_notes(part)
    assert note.startswith("Of 2 fits that brought PCOC of clicked impressions nearer to 1, 1 ")


def test_without_clicks_there_are_no_plots(with_truth: Path) -> None:
    part = copy.deepcopy(read_comparison(with_truth).parts[0])
    for studies in part.studies.values():
        for study in studies:
            for arm in study["arms"]:
                empty = {name: [] for name in arm["judged"]["reliability"]}
                arm["judged"] |= {"pcoc": None, "nll": None, "ece": None, "reliability": empty}
    assert calibration_plots(part, "test") == []
    table = calibration_table(part, "test")
    assert table is not None and table.rows[0][2].text == "-"
