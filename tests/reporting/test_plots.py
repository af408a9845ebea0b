"""Figures: their numbers are those of the diagnostics, their names those of the methods."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.comparison import EPOCHS, HOSTILE
from postclick.reporting.figure import MOST_TICKS, Plot, lines, log_ticks, plain
from postclick.reporting.folder import ComparisonFolder, Part, read_comparison
from postclick.reporting.method_plots import method_plots
from postclick.reporting.plots import curve_plots, truth_plots, validation_plots


@pytest.fixture(scope="module")
def comparison(with_truth: Path) -> ComparisonFolder:
    return read_comparison(with_truth)


@pytest.fixture(scope="module")
def part(comparison: ComparisonFolder) -> Part:
    return comparison.parts[0]


def trace(plots: list[Plot], title: str, name: str) -> dict[str, Any]:
    (figure,) = (plot.figure for plot in plots if plot.title == title)
    (found,) = (t for t in figure["data"] if t.get("name") == plain(name))
    return found


def test_every_method_has_a_line_of_its_own() -> None:
    drawn = lines([f"m{k}" for k in range(30)])
    assert len({(line.colour, line.dash) for line in drawn.values()}) == 30


def test_curves_carry_the_diagnostics(comparison: ComparisonFolder, part: Part) -> None:
    plots = curve_plots(comparison, part)
    for method, curves in part.curves.items():
        roc = trace(plots, "ROC of CVR", method)
        assert (list(roc["x"]), list(roc["y"])) == (
            curves["roc_cvr"]["fpr"],
            curves["roc_cvr"]["tpr"],
        )
        for title, key in (
            ("PCOC by own pCTR", "pcoc_own"),
            ("PCOC by common pCTR", "pcoc_reference"),
        ):
            found = trace(plots, title, method)
            assert list(found["y"]) == curves[key]["pcoc"]
            assert list(found["x"]) == list(range(1, 11))
            # The page's legend switches lines by the name as it is.
            assert found["meta"] == method
        calibration = trace(plots, "Calibration of CVR", method)
        assert list(calibration["y"]) == curves["calibration"]["observed"]


def test_a_bucket_without_conversions_is_a_gap(comparison: ComparisonFolder, part: Part) -> None:
    found = part.curves["esmm"]["pcoc_own"]
    kept = found["pcoc"][3]
    found["pcoc"][3] = None
    try:
        shown = trace(curve_plots(comparison, part), "PCOC by own pCTR", "esmm")["y"]
    finally:
        found["pcoc"][3] = kept
    assert shown[3] is None and shown[2] is not None


def test_the_band_of_chance_is_wider_for_fewer_conversions(
    comparison: ComparisonFolder, part: Part
) -> None:
    (figure,) = (
        p.figure for p in curve_plots(comparison, part) if p.title == "PCOC by common pCTR"
    )
    (band,) = (t for t in figure["data"] if t.get("fill") == "toself")
    found = part.curves["esmm"]["pcoc_reference"]
    conversions = [n * rate for n, rate in zip(found["rows"], found["observed"], strict=True)]
    upper = band["y"][: len(conversions)]
    by_count = [bound for _, bound in sorted(zip(conversions, upper, strict=True))]
    assert by_count == sorted(by_count, reverse=True)
    assert all(
        high * low == pytest.approx(1) for high, low in zip(upper, band["y"][::-1], strict=False)
    )


def test_truth_is_drawn_only_where_it_is_known(
    comparison: ComparisonFolder, part: Part, without_truth: Path
) -> None:
    plots = truth_plots(comparison, part)
    bias = trace(plots, "True bias by propensity", "naive")["y"]
    pcoc = part.curves["naive"]["bias_by_propensity"]["pcoc"]
    assert list(bias) == pytest.approx([p - 1 for p in pcoc])
    gain = next(plot for plot in plots if plot.title == "Share of the possible gain")
    row = part.summary.row("true_cvr_nll", "entire")
    assert row is not None
    shares = [row.share(method) for method in part.summary.methods]
    assert list(trace(plots, gain.title, "true_cvr_nll, entire")["x"]) == shares
    recorded = read_comparison(without_truth)
    assert truth_plots(recorded, recorded.parts[0]) == []


def test_learning_curves(comparison: ComparisonFolder, part: Part) -> None:
    plots = validation_plots(part)
    assert [plot.title for plot in plots] == ["Validation cvr_auc", "Validation cvr_nll"]
    found = trace(plots, "Validation cvr_auc", HOSTILE)
    assert list(found["x"]) == list(range(1, EPOCHS + 1))
    loss, overlap = method_plots(comparison, part, "escm2_ipw")
    assert [line.name for line in loss.legend] == ["ctr", "cvr", "ctcvr"]
    assert list(trace([loss], "Loss by term", "cvr")["y"])[1] == 0.2
    assert "Clipped to 0.01 - 0.99" in overlap.note
    assert "no propensity weights" in method_plots(comparison, part, "esmm")[1].note


@given(st.lists(st.floats(1e-9, 1e6), min_size=1, max_size=5))
def test_ticks_are_few_and_within_the_values(values: list[float]) -> None:
    ticks = log_ticks(values)
    assert len(ticks) <= MOST_TICKS
    assert all(min(values) <= tick <= max(values) for tick in ticks)
    assert ticks == sorted(set(ticks))
    if max(values) > 100 * min(values):
        assert len(ticks) >= 2
