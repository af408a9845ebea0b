"""Tables for a terminal: what is shown, marked and noted."""

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from helpers.registered import NormalisedEntropy, forgotten
from helpers.results import Figures, summary_of
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.comparison.plan import Arm
from postclick.experiments.comparison.summary import Gain, Summary
from postclick.experiments.comparison.terminal_tables import (
    against_truth,
    footnotes,
    recorded,
    tables,
)
from postclick.metrics import register
from postclick.metrics.metric import MetricValue

CLEAR = {"esmm": [0.60, 0.62, 0.61, 0.63], "evi": [0.70, 0.73, 0.71, 0.72]}
RECORDED: Figures = {("cvr_auc", "clicked"): CLEAR, ("ctr_auc", "entire"): CLEAR}


def text(summary: Summary) -> str:
    screen = io.StringIO()
    console = Console(file=screen, width=200)
    for table in tables(summary):
        console.print(table)
    return screen.getvalue()


def test_means_deviations_and_the_mark(small_log: PreparedLog) -> None:
    shown = text(summary_of(RECORDED, small_log, 4))
    assert "Recorded labels, same length for all (test split)" in " ".join(shown.split())
    assert ".6150 ±.0129 " in shown
    assert ".7150 ±.0129*" in shown
    assert "Against known truth" not in shown, "there is no truth"
    header = next(line for line in shown.splitlines() if "cvr_auc" in line)
    assert header.index("cvr_auc") < header.index("ctr_auc"), "CVR first"


def test_truth_has_a_table_of_its_own_with_bias_in_percent(small_log: PreparedLog) -> None:
    bias = {"esmm": [0.5, 0.52, 0.51, 0.49], "evi": [-0.01, 0.02, 0.01, 0.03]}
    figures = {**RECORDED, ("cvr_relative_bias", "unclicked"): bias}
    summary = summary_of(figures, small_log, 4)
    assert len(tables(summary)) == 2
    shown = text(summary)
    assert "Against known truth" in shown
    assert "bias %" in shown
    assert "50.5 ±1.3" in shown
    assert "1.2 ±1.7*" in shown


def test_one_seed_has_no_deviation(small_log: PreparedLog) -> None:
    summary = summary_of({("cvr_auc", "clicked"): {"esmm": [0.6], "evi": [0.7]}}, small_log, 1)
    assert "±" not in text(summary)
    assert "*" not in text(summary)
    assert len(footnotes(summary)) == 1


def test_undefined_is_said_with_its_reason(small_log: PreparedLog) -> None:
    broken = {"esmm": CLEAR["esmm"], "evi": ["no clicked rows"] * 4}
    summary = summary_of({("cvr_auc", "clicked"): broken}, small_log, 4)
    assert "undefined" in text(summary)
    assert "undefined: cvr_auc (clicked): no clicked rows" in footnotes(summary)


def test_what_is_undefined_for_all_is_no_column(small_log: PreparedLog) -> None:
    nothing = {name: ["no conversions"] * 4 for name in CLEAR}
    figures = {**RECORDED, ("cvr_pcoc", "clicked"): nothing}
    assert "cvr_pcoc" not in text(summary_of(figures, small_log, 4))
    assert tables(summary_of({("cvr_pcoc", "clicked"): nothing}, small_log, 4)) == []


def test_footnotes_tell_the_protocol(small_log: PreparedLog) -> None:
    notes = footnotes(summary_of(RECORDED, small_log, 4, "share_bottom"))
    assert notes[0].startswith("4 seeds, mean ± standard deviation; backbone share_bottom")
    assert "(the same for all); 7 passes of the CVR model for all, the last weights." in notes[0]
    assert notes[1] == (
        "* beats every other method in both tests: paired over seeds, two-sided t, Holm-corrected "
        "over methods, 5 %; and the 95 % interval over test impressions of its gain over each is "
        "above 0."
    )


def test_a_lead_that_other_rows_could_turn_has_no_mark(small_log: PreparedLog) -> None:
    summary = summary_of(RECORDED, small_log, 4, gain=Gain(0.1, -0.02, 0.2))
    assert "*" not in text(summary)
    notes = footnotes(summary)
    assert notes[1].startswith("No method is marked as best: none passes both tests (paired over")
    assert notes[2] == (
        "Best over seeds alone: evi in cvr_auc (clicked), not over esmm; "
        "evi in ctr_auc (entire), not over esmm."
    )


def test_no_winner_is_said(small_log: PreparedLog) -> None:
    noise = {"esmm": [0.60, 0.70, 0.61, 0.68], "evi": [0.70, 0.61, 0.69, 0.62]}
    notes = footnotes(summary_of({("cvr_auc", "clicked"): noise}, small_log, 4))
    assert notes[1].startswith("No method is marked as best: ")


def test_a_mark_outside_the_tables_is_not_explained(small_log: PreparedLog) -> None:
    """The footnote is about what is on screen."""
    noise = {"esmm": [0.60, 0.70, 0.61, 0.68], "evi": [0.70, 0.61, 0.69, 0.62]}
    figures = {("cvr_auc", "clicked"): noise, ("cvr_bias_recorded", "entire"): CLEAR}
    summary = summary_of(figures, small_log, 4)
    assert [row.best for row in summary.rows] == [None, "esmm"]
    assert "*" not in text(summary)
    assert footnotes(summary)[1].startswith("No method is marked as best: ")


def test_the_share_of_the_possible_gain_where_the_true_cvr_is_known(
    small_log: PreparedLog,
) -> None:
    rate, nll = 0.5, 0.6
    perfect = MetricValue("true_cvr_nll", "entire", nll, None, 100, 100 * rate)
    figures: Figures = {("true_cvr_nll", "entire"): {"esmm": [0.65, 0.66], "evi": [0.60, 0.60]}}
    summary = summary_of(figures, small_log, 2, oracle=[perfect])
    row = summary.row("true_cvr_nll", "entire")
    assert row is not None
    expected = (math.log(2) - 0.655) / (math.log(2) - nll)
    assert row.share("esmm") == pytest.approx(expected)
    assert row.share("evi") == pytest.approx(1.0)
    shown = text(summary)
    assert f"{100 * expected:.1f}" in shown
    assert "the true CVR" in shown
    assert any(note.startswith("share of gain") for note in footnotes(summary))
    assert "share of" not in text(summary_of(figures, small_log, 2))


def test_registered_metrics_of_others_have_columns_and_winners(small_log: PreparedLog) -> None:
    figures = {**RECORDED, ("cvr_ne", "clicked"): CLEAR}
    with forgotten():
        register(NormalisedEntropy)
        summary = summary_of(figures, small_log, 4)
        row = summary.row("cvr_ne", "clicked")
        assert row is not None and row.best == "esmm", "lower is better"
        assert "cvr_ne" in text(summary)
    assert "cvr_ne" not in text(summary_of(RECORDED, small_log, 4))
    with pytest.raises(InputError, match="there is no metric 'cvr_ne'"):
        summary_of(figures, small_log, 4)


def test_groups_have_columns(small_log: PreparedLog) -> None:
    shown = text(summary_of({**RECORDED, ("cvr_gauc", "clicked"): CLEAR}, small_log, 4))
    header = next(line for line in shown.splitlines() if "cvr_gauc" in line)
    assert header.index("ctr_auc") < header.index("cvr_gauc")


def test_tables_fit_a_hundred_columns(small_log: PreparedLog) -> None:
    """With every metric, marks and a name of 16 letters; no figure is lost, none is cut."""
    values: dict[str, list[float | str]] = {
        "choruscvr/no_sam": [1.12, 1.13, 1.14, 1.15],
        "escm2_ipw": [1.92, 1.95, 1.93, 1.98],
    }
    pairs = (*recorded(), *against_truth())
    perfect = [MetricValue("true_cvr_nll", "entire", 0.3, None, 100, 50.0)]
    summary = summary_of(dict.fromkeys(pairs, values), small_log, 4, oracle=perfect)
    screen = io.StringIO()
    console = Console(file=screen, width=100)
    for table in tables(summary):
        console.print(table)
    shown = screen.getvalue()
    assert max(len(line) for line in shown.splitlines()) <= 100
    assert "…" not in shown
    percents = sum("bias" in metric for metric, _ in pairs)
    assert shown.count("1.1350 ±.0129") == len(pairs) - percents
    assert shown.count("113.5 ±1.3") == percents
    assert shown.count("*") == sum(row.best is not None for row in summary.rows) == len(pairs)
    assert shown.count("share of") == 1


def test_a_metric_of_many_columns_goes_on_below(small_log: PreparedLog) -> None:
    wide = {"x" * 30: [0.6, 0.61], "esmm": [0.7, 0.72]}
    pairs = [pair for pair in recorded() if "auc" in pair[0]]
    arms = [Arm(name, "esmm") for name in wide]
    summary = summary_of(dict.fromkeys(pairs, wide), small_log, 2, arms=arms)
    made = tables(summary)
    assert [table.title is None for table in made] == [False, True]
    assert sum(len(table.columns) - 1 for table in made) == len(pairs)


def test_passes_are_a_column_where_they_differ(small_log: PreparedLog) -> None:
    summary = summary_of(RECORDED, small_log, 4)
    assert "passes" not in text(summary), "the footnote tells it"
    told = {**summary.protocol, "passes": {"esmm": 3.0, "evi": 5.5}}
    shown = text(replace(summary, protocol=told))
    assert "passes" in shown
    assert "5.5" in next(line for line in shown.splitlines() if "evi" in line)
