"""Stars need the rows, too: each gain is that of the statistics, on rows read by other means."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers.comparison import write_comparison
from helpers.results import summary_of
from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.row_tests import RESAMPLES, over_rows
from postclick.experiments.comparison.summary import Gain, RowTest, Summary
from postclick.judging.labels import SplitLabels, split_labels
from postclick.stats import auc_difference, bootstrap_difference, soft_auc_difference

METHODS = ("naive", "esmm", "escm2_ipw")
RUNS = {m: [f"runs/{m}/seed-{k}" for k in range(2)] for m in METHODS}
# The third method is best in everything over seeds, whatever the made-up predictions say.
HIGH = {"naive": [0.6, 0.61], "esmm": [0.62, 0.63], "escm2_ipw": [0.8, 0.81001]}
LOW = {"naive": [0.4, 0.39], "esmm": [0.38, 0.37], "escm2_ipw": [0.2, 0.18999]}
FIGURES = {
    ("ctr_auc", "entire"): HIGH,
    ("ctcvr_auc", "entire"): HIGH,
    ("cvr_auc", "clicked"): HIGH,
    ("cvr_nll", "clicked"): LOW,
    ("cvr_bias_recorded", "entire"): LOW,
    ("true_cvr_auc", "unclicked"): HIGH,
    ("true_cvr_nll", "entire"): LOW,
    ("cvr_relative_bias", "clicked"): LOW,
}


@pytest.fixture(scope="module")
def folder(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("row_tests")
    write_comparison(out, small_log, list(METHODS), 2, tuned=False, studied=False)
    return out


@pytest.fixture
def labels(small_log: PreparedLog) -> SplitLabels:
    return split_labels(small_log, "test")


@pytest.fixture
def summary(small_log: PreparedLog) -> Summary:
    made = summary_of(FIGURES, small_log, 2)
    untested = [replace(row, over_rows=None) for row in made.rows]
    # Two seeds support little: what they would say is put in.
    return replace(made, rows=tuple(replace(row, best_over_seeds="escm2_ipw") for row in untested))


def logits(folder: Path, method: str, name: str) -> list[np.ndarray]:
    return [
        pl.read_parquet(folder / place / "predictions" / "test.parquet")[name].to_numpy()
        for place in RUNS[method]
    ]


def over_rows_of(summary: Summary, metric: str, space: str) -> RowTest:
    row = summary.row(metric, space)
    assert row is not None and row.over_rows is not None
    return row.over_rows


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_gains_are_those_of_the_statistics(
    folder: Path, labels: SplitLabels, summary: Summary, grouped: bool, weighted: bool
) -> None:
    rng = np.random.default_rng(0)
    n = labels.click.size
    group = rng.integers(1, n // 4, n) if grouped else None
    weight = rng.lognormal(size=n).astype(np.float32) if weighted else None
    found = over_rows(summary, replace(labels, group=group, weight=weight), folder, RUNS)
    c, v, true = labels.click, labels.conversion, labels.truth["true_cvr"]
    every = np.ones(n, bool)

    def both(rows: np.ndarray, name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
        a, b = (logits(folder, method, name) for method in ("escm2_ipw", "naive"))
        return [z[rows] for z in a], [z[rows] for z in b]

    def told(rows: np.ndarray) -> dict[str, np.ndarray | None]:
        return {
            "group": None if group is None else group[rows],
            "weight": None if weight is None else weight[rows],
        }

    for metric, space, name, rows, label in (
        ("ctr_auc", "entire", "ctr_logit", every, c),
        ("cvr_auc", "clicked", "cvr_logit", c, v),
    ):
        wanted = auc_difference(*both(rows, name), label[rows], **told(rows))
        expected = Gain(wanted.difference, wanted.low, wanted.high)
        assert over_rows_of(found, metric, space).gains["naive"] == expected
    soft = soft_auc_difference(*both(~c, "cvr_logit"), true[~c], **told(~c))
    gain = over_rows_of(found, "true_cvr_auc", "unclicked").gains["naive"]
    assert gain == Gain(soft.difference, soft.low, soft.high)
    for metric, space, kind, rows, label in (
        ("cvr_nll", "clicked", "nll", c, v),
        ("cvr_bias_recorded", "entire", "bias", every, v),
        ("true_cvr_nll", "entire", "nll", every, true),
        ("cvr_relative_bias", "clicked", "relative_bias", c, true),
    ):
        drawn = bootstrap_difference(
            kind,
            *both(rows, "cvr_logit"),
            label[rows],
            by_group=grouped,
            resamples=RESAMPLES,
            **told(rows),
        ).gain
        gain = over_rows_of(found, metric, space).gains["naive"]
        assert gain is not None
        assert (gain.value, gain.low, gain.high) == pytest.approx(
            (drawn.value, drawn.low, drawn.high), rel=1e-9, abs=1e-12
        )
    assert {over_rows_of(found, m, s).drawn for m, s in FIGURES} == {
        "groups" if grouped else "impressions"
    }


def test_pctcvr_is_ranked_by_the_product_or_by_what_the_method_says(
    folder: Path, labels: SplitLabels, summary: Summary, tmp_path: Path
) -> None:
    def product(method: str) -> list[np.ndarray]:
        ctr, cvr = (logits(folder, method, name) for name in ("ctr_logit", "cvr_logit"))
        found = []
        for z, q in zip(ctr, cvr, strict=True):
            p = 1 / (1 + np.exp(-z.astype(float))) / (1 + np.exp(-q.astype(float)))
            found.append(np.log(p) - np.log1p(-p))
        return found

    gains = over_rows_of(over_rows(summary, labels, folder, RUNS), "ctcvr_auc", "entire").gains
    wanted = auc_difference(product("escm2_ipw"), product("esmm"), labels.conversion)
    assert gains["esmm"] is not None
    assert gains["esmm"].value == pytest.approx(wanted.difference, abs=1e-9)
    assert gains["esmm"].low == pytest.approx(wanted.low, abs=1e-6)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("runs/*/*/predictions/test.parquet"):
        kept = pl.read_parquet(path)
        kept.with_columns(log_ctcvr=-pl.col("cvr_logit").abs()).write_parquet(path)
    own = over_rows(summary, labels, tmp_path, RUNS)
    own_gains = over_rows_of(own, "ctcvr_auc", "entire").gains
    scores = [[-np.abs(z) for z in logits(folder, m, "cvr_logit")] for m in ("escm2_ipw", "esmm")]
    wanted = auc_difference(*scores, labels.conversion)
    assert own_gains["esmm"] is not None
    assert own_gains["esmm"].value == pytest.approx(wanted.difference, abs=1e-9)


def test_what_seeds_do_not_support_is_not_tested(
    folder: Path, labels: SplitLabels, summary: Summary
) -> None:
    nobody = replace(
        summary, rows=tuple(replace(row, best_over_seeds=None) for row in summary.rows)
    )
    found = over_rows(nobody, labels, folder / "nowhere", RUNS)  # nothing is read
    assert [row.over_rows for row in found.rows] == [None] * len(FIGURES)
    assert [row.best for row in found.rows] == [None] * len(FIGURES)


def test_best_needs_every_interval_above_zero() -> None:
    clear, open_, worse = Gain(0.1, 0.01, 0.2), Gain(0.1, 0.0, 0.2), Gain(-0.1, -0.2, -0.01)
    assert RowTest(0.95, "groups", {"a": clear, "b": clear}).holds
    for gain in (open_, worse, None):
        test = RowTest(0.95, "groups", {"a": clear, "b": gain})
        assert (test.holds, test.open_to) == (False, ["b"])


def test_rows_that_cannot_tell_take_the_mark_away(
    folder: Path, labels: SplitLabels, summary: Summary
) -> None:
    labels.conversion[np.flatnonzero(labels.conversion)[1:]] = False
    found = over_rows(summary, labels, folder, RUNS)
    row = found.row("cvr_auc", "clicked")
    assert row is not None
    assert over_rows_of(found, "cvr_auc", "clicked").gains == {"naive": None, "esmm": None}
    assert (row.best_over_seeds, row.best) == ("escm2_ipw", None)
    labels.truth["true_cvr"][:] = np.where(labels.click, 0.0, 1.0)
    hard = over_rows(summary, labels, folder, RUNS)
    assert over_rows_of(hard, "true_cvr_auc", "unclicked").gains["naive"] is None
