"""Tables: what is read in a cell, and what it is sorted by."""

from pathlib import Path

import pytest

from helpers.comparison import HOSTILE
from helpers.parts import part_of
from postclick.data.prepared import PreparedLog
from postclick.reporting.folder import Part, read_comparison
from postclick.reporting.metric_tables import (
    gain_table,
    propensity_table,
    recorded_table,
    truth_table,
    tuned_table,
    undefined,
)
from postclick.reporting.significance_table import significance_table
from postclick.reporting.tables import Table, Value, findings_table, funnel_table
from postclick.stats import significance

AUC = ("cvr_auc", "clicked")
VALUES = {"evi": [0.70, 0.73, 0.71, 0.72], "esmm": [0.60, 0.62, 0.61, 0.63]}


def column(table: Table | None, title: str, below: str | None = None) -> dict[str, Value]:
    """Cells of a column by the name of their row."""
    assert table is not None
    (at,) = (
        k for k, c in enumerate(table.columns) if c.title == title and below in (None, c.below)
    )
    assert all(len(row) == len(table.columns) for row in table.rows)
    return {row[0].text: row[at] for row in table.rows}


@pytest.fixture(scope="module")
def tuned(with_truth: Path) -> Part:
    return read_comparison(with_truth).parts[0]


def test_means_spread_and_the_mark_of_a_winner(small_log: PreparedLog) -> None:
    table = recorded_table(part_of({AUC: VALUES}, small_log), "test")
    cells = column(table, "cvr_auc", "clicked")
    assert cells["evi"] == Value("0.7150 ± 0.0129", pytest.approx(0.715), marked=True)
    assert cells["esmm"].marked is False


def test_distance_to_the_best_with_interval_and_p(small_log: PreparedLog) -> None:
    part = part_of({AUC: VALUES}, small_log, {"esmm": (-0.1, -0.13, -0.07)})
    table = recorded_table(part, "test")
    assert column(table, "vs best")["esmm"].text == "-0.1000 [-0.1300, -0.0700]"
    assert column(table, "vs best")["evi"] == Value("best", 0.0)
    assert column(table, "p")["esmm"].text == "< 0.001"
    one = {name: values[:1] for name, values in VALUES.items()}
    without = column(recorded_table(part_of({AUC: one}, small_log), "test"), "p")["esmm"]
    assert (without.text, without.sort) == ("none", None)
    assert "needs 2 pairs" in without.hint


def test_undefined_cells_give_their_reason(small_log: PreparedLog) -> None:
    some = {AUC: {**VALUES, "ukd": ["no clicked rows"] * 4}}
    part = part_of(some, small_log)
    cell = column(recorded_table(part, "test"), "cvr_auc")["ukd"]
    assert (cell.text, cell.sort, cell.hint) == ("undefined", None, "no clicked rows")
    assert column(recorded_table(part, "test"), "vs best")["ukd"].text == "-"
    assert undefined(part) == ["cvr_auc (clicked) is undefined: no clicked rows"]
    none = part_of({AUC: {name: ["no clicked rows"] for name in VALUES}}, small_log)
    assert truth_table(none, "test") is None


def test_truth_has_a_row_of_what_is_possible(tuned: Part) -> None:
    perfect = column(truth_table(tuned, "test"), "true_cvr_nll", "entire")
    best = min(c.sort for name, c in perfect.items() if name != "the true CVR")
    assert perfect["the true CVR"].sort < best
    bias = column(truth_table(tuned, "test"), "cvr_relative_bias %", "entire")
    assert bias["the true CVR"].text in ("0.0", "-0.0")
    row = tuned.summary.row("cvr_relative_bias", "entire")
    assert row is not None and row.by_method["naive"].mean is not None
    assert bias["naive"].text.startswith(f"{100 * row.by_method['naive'].mean:.1f} ±")


def test_shares_of_the_gain(tuned: Part) -> None:
    shares = column(gain_table(tuned), "true_cvr_nll", "entire")
    row = tuned.summary.row("true_cvr_nll", "entire")
    assert row is not None
    share = row.share("naive")
    assert share is not None and shares["naive"].text == f"{100 * share:.1f} %"
    assert shares["naive"].sort < shares[HOSTILE].sort


def test_propensities_of_the_methods_that_weight_by_them(with_truth: Path, tuned: Part) -> None:
    table = propensity_table(read_comparison(with_truth), tuned)
    clip = column(table, "clip of π")
    assert set(clip) == {"escm2_ipw", "choruscvr"}
    assert clip["escm2_ipw"].text == "0.01 to 0.99"
    assert column(table, "effective clicks", "train")["escm2_ipw"].text == "700 of 1,000 (70 %)"
    assert column(table, "clipped", "train")["escm2_ipw"] == Value("4.0 %", 0.04)
    assert column(table, "mean of c/π")["escm2_ipw"].text == "1.020"
    test = column(table, "effective clicks", "test")["escm2_ipw"]
    wanted = tuned.curves["escm2_ipw"]["overlap"]["effective_sample_size"] / 496
    assert test.sort == pytest.approx(wanted)


def test_what_trials_chose(with_truth: Path, tuned: Part) -> None:
    assert column(tuned_table(tuned), "embedding_dim")["naive"].text == "the schema's"
    assert column(tuned_table(tuned), "lr")["naive"] == Value("0.001", 0.001)
    assert tuned_table(read_comparison(with_truth).parts[1]) is None


def test_the_funnel_and_the_findings(with_truth: Path, without_truth: Path) -> None:
    comparison = read_comparison(with_truth)
    funnel = funnel_table(comparison)
    assert column(funnel, "clicks")["train"] == Value("1,366", 1366)
    assert column(funnel, "CTR")["train"].text == f"{1366 / 5385:.4f}"
    assert column(funnel, "known truth")["test"].text == "true_ctr, true_cvr, potential_conversion"
    assert (
        column(funnel_table(read_comparison(without_truth)), "known truth")["test"].text == "none"
    )
    findings = findings_table(comparison)
    assert column(findings, "finding")["warning"].text == "few-conversions"


def test_significance_of_every_method_against_the_best(small_log: PreparedLog) -> None:
    part = part_of({AUC: VALUES}, small_log, {"esmm": (-0.1, -0.13, -0.07)})
    table = significance_table(part, *AUC)
    (expected,) = significance(VALUES, "cvr_auc", against="evi")
    assert column(table, "gain")["esmm"].text == "-0.1000"
    assert column(table, "effect size")["esmm"].sort == expected.effect_size
    assert column(table, "paired t")["esmm"].sort == expected.paired_holm
    assert column(table, "Wilcoxon")["esmm"].text == "0.125", "the least that 4 seeds can give"
    one = {name: values[:1] for name, values in VALUES.items()}
    assert significance_table(part_of({AUC: one}, small_log), *AUC) is None
    assert significance_table(part, "true_cvr_nll", "entire") is None
