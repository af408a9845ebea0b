"""Summaries: means and deviations by hand, and a winner only where seeds support it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from helpers.results import summary_of
from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.summary import Gain
from postclick.stats.paired import supported_best

CVR_AUC, CVR_NLL = ("cvr_auc", "clicked"), ("cvr_nll", "clicked")
CLEAR = {"esmm": [0.60, 0.62, 0.61, 0.63], "evi": [0.70, 0.73, 0.71, 0.72]}
NOISE = {"esmm": [0.60, 0.70, 0.61, 0.68], "evi": [0.70, 0.61, 0.69, 0.62]}


def test_means_and_deviations_by_hand(small_log: PreparedLog) -> None:
    summary = summary_of({CVR_AUC: CLEAR}, small_log, 4)
    row = summary.row(*CVR_AUC)
    assert row is not None
    for name, values in CLEAR.items():
        cell = row.by_method[name]
        assert cell.mean == pytest.approx(np.mean(values))
        assert cell.sd == pytest.approx(np.std(values, ddof=1))
        assert (cell.runs, cell.undefined) == (4, None)
    assert (summary.methods, summary.seeds) == (("esmm", "evi"), 4)


def test_a_winner_needs_support(small_log: PreparedLog) -> None:
    assert supported_best(CLEAR, "cvr_auc") == "evi"
    summary = summary_of({CVR_AUC: CLEAR, CVR_NLL: NOISE}, small_log, 4)
    clear, noise = summary.row(*CVR_AUC), summary.row(*CVR_NLL)
    assert clear is not None
    assert noise is not None
    assert (clear.best, noise.best) == ("evi", None)


def test_a_winner_over_seeds_needs_the_rows(small_log: PreparedLog) -> None:
    row = summary_of({CVR_AUC: CLEAR}, small_log, 4, gain=Gain(0.1, -0.01, 0.2)).row(*CVR_AUC)
    assert row is not None
    assert (row.best_over_seeds, row.best) == ("evi", None)
    untested = replace(row, over_rows=None)
    assert untested.best is None, "what is not tested is not marked"


def test_the_better_side_depends_on_the_metric(small_log: PreparedLog) -> None:
    pcoc = {"esmm": [1.30, 1.32, 1.29, 1.33], "evi": [0.95, 0.94, 0.97, 0.96]}
    figures = {CVR_NLL: CLEAR, CVR_AUC: CLEAR, ("cvr_pcoc", "clicked"): pcoc}
    best = {row.metric: row.best for row in summary_of(figures, small_log, 4).rows}
    assert best == {"cvr_nll": "esmm", "cvr_auc": "evi", "cvr_pcoc": "evi"}


def test_the_winner_has_to_beat_every_other_method(small_log: PreparedLog) -> None:
    three = {**CLEAR, "choruscvr": [0.71, 0.72, 0.705, 0.725]}
    row = summary_of({CVR_AUC: three}, small_log, 4).row(*CVR_AUC)
    assert row is not None
    assert row.best is None


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_support_little(small_log: PreparedLog, seeds: int) -> None:
    figures = {CVR_AUC: {"esmm": [0.60, 0.62][:seeds], "evi": [0.70, 0.80][:seeds]}}
    row = summary_of(figures, small_log, seeds).row(*CVR_AUC)
    assert row is not None
    assert row.best is None
    assert (row.by_method["evi"].sd is None) == (seeds == 1)


def test_one_method_is_not_a_winner(small_log: PreparedLog) -> None:
    row = summary_of({CVR_AUC: {"evi": [0.7, 0.71, 0.72]}}, small_log, 3).row(*CVR_AUC)
    assert row is not None
    assert row.best is None
    assert row.by_method["evi"].mean == pytest.approx(0.71)


def test_a_metric_undefined_in_one_run_has_no_mean_and_no_winner(small_log: PreparedLog) -> None:
    broken = {"esmm": CLEAR["esmm"], "evi": [0.70, "no clicked rows", 0.71, 0.72]}
    row = summary_of({CVR_AUC: broken}, small_log, 4).row(*CVR_AUC)
    assert row is not None
    assert row.best is None
    assert row.by_method["evi"].mean is None
    assert (row.by_method["evi"].runs, row.by_method["evi"].undefined) == (3, "no clicked rows")
    assert row.by_method["esmm"].mean is not None


def test_an_nll_over_labels_of_one_class_has_no_winner(small_log: PreparedLog) -> None:
    """Where no clicked row converted, the NLL is best for who predicts 0."""
    undefined = {name: ["no conversions"] * 4 for name in CLEAR}
    figures = {CVR_AUC: undefined, CVR_NLL: CLEAR, ("ctr_nll", "entire"): CLEAR}
    summary = summary_of(figures, small_log, 4)
    row, other = summary.row(*CVR_NLL), summary.row("ctr_nll", "entire")
    assert row is not None
    assert other is not None
    assert (row.degenerate, row.best) == (True, None)
    assert (other.degenerate, other.best) == (False, "esmm")


def test_rows_come_in_the_order_of_the_metrics(small_log: PreparedLog) -> None:
    figures = {
        ("true_cvr_auc", "entire"): CLEAR,
        CVR_NLL: CLEAR,
        ("true_cvr_auc", "clicked"): CLEAR,
        ("ctr_auc", "entire"): CLEAR,
    }
    rows = [(row.metric, row.space) for row in summary_of(figures, small_log, 4).rows]
    assert [metric for metric, _ in rows] == ["ctr_auc", "cvr_nll", "true_cvr_auc", "true_cvr_auc"]


@pytest.mark.parametrize(
    ("backbone", "note"), [("share_bottom", "the same for all"), ("auto", "each paper's own")]
)
def test_the_protocol_is_said(small_log: PreparedLog, backbone: str, note: str) -> None:
    protocol = summary_of({CVR_AUC: CLEAR}, small_log, 4, backbone).protocol
    assert (protocol["backbone"], protocol["backbone_note"]) == (backbone, note)
    assert (protocol["split"], protocol["rows"]) == ("test", small_log.split("test").rows)
    assert protocol["length"] == "7 passes of the CVR model for all, the last weights"
    assert (protocol["passes"], protocol["tuned"]) == ({"esmm": 7.0, "evi": 7.0}, {})
    assert "Holm" in protocol["test"]
    assert protocol["data_fingerprint"] == small_log.fingerprint


def test_a_summary_is_json(small_log: PreparedLog) -> None:
    summary = summary_of({CVR_AUC: CLEAR, CVR_NLL: NOISE}, small_log, 4)
    data = json.loads(json.dumps(summary.as_dict(), allow_nan=False))
    assert data["methods"] == ["esmm", "evi"]
    first = data["metrics"][0]
    assert (first["metric"], first["best"]) == ("cvr_auc", "evi")
    assert first["best_over_seeds"] == "evi"
    assert first["over_rows"] == {
        "level": 0.95,
        "drawn": "impressions",
        "gains": {"esmm": {"value": 0.1, "low": 0.07, "high": 0.13}},
    }
    assert first["methods"]["evi"]["mean"] == pytest.approx(0.715)


def test_an_unknown_row_is_none(small_log: PreparedLog) -> None:
    assert summary_of({CVR_AUC: CLEAR}, small_log, 4).row("cvr_auc", "entire") is None


def test_groups_of_one_class_do_not_make_nll_degenerate(small_log: PreparedLog) -> None:
    gauc = {"esmm": ["no group has both classes"] * 4, "evi": ["no group has both classes"] * 4}
    figures = {("cvr_gauc", "clicked"): gauc, CVR_NLL: CLEAR}
    row = summary_of(figures, small_log, 4).row(*CVR_NLL)
    assert row is not None
    assert (row.degenerate, row.best) == (False, "esmm")
