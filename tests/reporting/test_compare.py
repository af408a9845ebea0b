"""Comparisons on a small log: the same numbers however they are run, and kept when repeated."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from helpers.runs import FAST
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.comparison.results import COLUMNS, Comparison
from postclick.metrics import METRICS
from postclick.progress import Silent
from postclick.reporting.compare import compare
from postclick.runs.run import Run
from postclick.system.files import locked

METHODS = ["naive", "choruscvr/no_sam"]


class Lines(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def line(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(scope="module")
def comparison(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    out = tmp_path_factory.mktemp("compare") / "results"
    return compare(small_log, METHODS, out, seeds=2, overrides=FAST, workers=1, trials=0)


def copied(comparison: Comparison, tmp_path: Path) -> Path:
    out = tmp_path / "results"
    shutil.copytree(comparison.folder, out)
    return out


def mtimes(out: Path) -> dict[str, int]:
    """When the weights of each run were written."""
    found = out.glob("runs/*/*/model.safetensors")
    return {str(path.parent.relative_to(out)): path.stat().st_mtime_ns for path in found}


def test_results_are_tidy(comparison: Comparison, small_log: PreparedLog) -> None:
    results = pl.read_parquet(comparison.folder / "results.parquet")
    assert results.equals(comparison.results)
    assert list(results.columns) == list(COLUMNS)
    assert dict(results.schema) == COLUMNS
    measured = sum(len(metric.spaces) for metric in METRICS.values() if not metric.needs)
    assert results.height == len(METHODS) * 2 * measured
    assert not results.select("method", "seed", "metric", "space").is_duplicated().any()
    given = results["value"].is_not_null()
    assert (given == results["undefined"].is_null()).all(), "a value or the reason for none"
    for method, seed in (("naive", 1), ("choruscvr/no_sam", 0)):
        folder = comparison.folder / "runs" / method.replace("/", "+") / f"seed-{seed}"
        direct = Run(folder).evaluate(small_log)
        mine = results.filter((pl.col("method") == method) & (pl.col("seed") == seed))
        assert mine["value"].to_list() == [metric.value for metric in direct.metrics]


def test_seeds_and_methods_differ(comparison: Comparison) -> None:
    auc = comparison.results.filter(pl.col("metric") == "ctr_auc")
    assert auc["value"].n_unique() == 4


def test_the_summary_is_written_and_says_the_backbone(comparison: Comparison) -> None:
    written = json.loads((comparison.folder / "summary.json").read_text())
    said = written.pop("answer")
    assert written == {"protocols": {"fixed": json.loads(json.dumps(comparison.summary.as_dict()))}}
    assert comparison.answer is not None
    assert said == json.loads(json.dumps(comparison.answer.as_dict()))
    assert said["simplest"] == "naive"
    assert said["sentence"] in (comparison.folder / "report.html").read_text()
    written = written["protocols"]["fixed"]
    assert written["protocol"]["backbone"] == "share_bottom"
    assert written["protocol"]["backbone_note"] == "the same for all"
    assert written["seeds"] == 2
    row = comparison.summary.row("ctr_auc", "entire")
    assert row is not None
    mine = comparison.results.filter(
        (pl.col("metric") == "ctr_auc") & (pl.col("method") == "naive")
    )
    assert row.by_method["naive"].mean == pytest.approx(mine["value"].mean())


@pytest.mark.slow
def test_two_processes_give_the_same_file(
    comparison: Comparison, small_log: PreparedLog, tmp_path: Path
) -> None:
    reporter = Lines()
    compare(
        small_log,
        METHODS,
        tmp_path / "two",
        seeds=2,
        overrides=FAST,
        workers=2,
        trials=0,
        reporter=reporter,
    )
    one, two = (folder / "results.parquet" for folder in (comparison.folder, tmp_path / "two"))
    assert one.read_bytes() == two.read_bytes()
    said = "\n".join(reporter.said)
    assert "4 of 4 runs" in said
    assert "naive seed 1: epoch 1: loss" in said, "what a worker says is passed on"


def test_a_run_that_is_missing_is_made_again_and_the_others_are_kept(
    comparison: Comparison, small_log: PreparedLog, tmp_path: Path
) -> None:
    out = copied(comparison, tmp_path)
    before = mtimes(out)
    shutil.rmtree(out / "runs" / "naive" / "seed-1")
    again = compare(small_log, METHODS, out, seeds=2, overrides=FAST, workers=1, trials=0)
    assert again.results.equals(comparison.results)
    after = mtimes(out)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"runs/naive/seed-1"}


def test_what_a_kill_at_the_end_of_a_run_leaves_is_removed(
    comparison: Comparison, small_log: PreparedLog, tmp_path: Path
) -> None:
    out = copied(comparison, tmp_path)
    before, files = mtimes(out), sorted(path for path in out.rglob("*"))
    (out / "runs" / "naive" / "seed-0.lock").touch()
    (out / "runs" / "naive" / "seed-1" / "checkpoint.safetensors").touch()
    compare(small_log, METHODS, out, seeds=2, overrides=FAST, workers=1, trials=0)
    assert mtimes(out) == before
    assert sorted(path for path in out.rglob("*")) == files


def test_a_run_that_was_not_evaluated_is_evaluated(
    comparison: Comparison, small_log: PreparedLog, tmp_path: Path
) -> None:
    out = copied(comparison, tmp_path)
    before = mtimes(out)
    (out / "runs" / "naive" / "seed-0" / "metrics.json").unlink()
    again = compare(small_log, METHODS, out, seeds=2, overrides=FAST, workers=1, trials=0)
    assert again.results.equals(comparison.results)
    assert mtimes(out) == before


def test_more_seeds_keep_the_old_runs(
    comparison: Comparison, small_log: PreparedLog, tmp_path: Path
) -> None:
    out = copied(comparison, tmp_path)
    before = mtimes(out)
    more = compare(small_log, METHODS, out, seeds=3, overrides=FAST, workers=1, trials=0)
    after = mtimes(out)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {f"runs/{m}/seed-2" for m in ("naive", "choruscvr+no_sam")}
    assert more.results.filter(pl.col("seed") < 2).equals(comparison.results)
    assert more.summary.seeds == 3


def test_another_split_is_judged_without_training(
    comparison: Comparison, small_log: PreparedLog, tmp_path: Path
) -> None:
    out = copied(comparison, tmp_path)
    before = mtimes(out)
    valid = compare(
        small_log, "naive", out, seeds=2, overrides=FAST, split="valid", workers=1, trials=0
    )
    assert mtimes(out) == before
    assert valid.summary.protocol["split"] == "valid"
    assert valid.summary.protocol["rows"] == small_log.split("valid").rows
    assert valid.results["method"].unique().to_list() == ["naive"]


def test_finished_runs_are_judged_by_a_feature_when_asked(
    comparison: Comparison, small_log: PreparedLog, tmp_path: Path
) -> None:
    out = copied(comparison, tmp_path)
    before = mtimes(out)
    with pytest.raises(InputError, match="no feature 'nosuch'"):
        compare(small_log, "naive", out, seeds=2, overrides=FAST, workers=1, trials=0, by="nosuch")
    again = compare(
        small_log, METHODS, out, seeds=2, overrides=FAST, workers=1, trials=0, by="category,price"
    )
    assert mtimes(out) == before
    assert again.results.equals(comparison.results)
    runs = [Run(path.parent) for path in out.glob("runs/*/*/metrics.json")]
    assert len(runs) == 4
    for run in runs:
        by = run.metrics["test"]["by"]
        assert list(by) == ["category", "price"]
        whole = next(m for m in run.metrics["test"]["metrics"] if m["metric"] == "ctr_nll")
        for one in by.values():
            parts = [(s["rows"], s["metrics"]) for s in one["segments"]]
            nll = [next(m["value"] for m in ms if m["metric"] == "ctr_nll") for _, ms in parts]
            total = sum(rows * value for (rows, _), value in zip(parts, nll, strict=True))
            assert total / whole["rows"] == pytest.approx(whole["value"], rel=1e-9)
    assert "split by category (means over 2 seeds)" in (out / "report.html").read_text()


@pytest.mark.parametrize("text", ["naive,choruscvr/no_sam", " naive , choruscvr/no_sam,"])
def test_methods_may_be_one_text(comparison: Comparison, small_log: PreparedLog, text: str) -> None:
    again = compare(
        small_log, text, comparison.folder, seeds=2, overrides=FAST, workers=1, trials=0
    )
    assert again.results.equals(comparison.results)


@pytest.mark.parametrize(
    ("overrides", "split", "methods", "message"),
    [
        ([*FAST, "lr=0.5"], "test", METHODS, "holds runs of naive with other settings"),
        (FAST, "dev", METHODS, "no split 'dev'; it has train, valid, test"),
        (FAST, "test", ["nosuch"], "there is no method 'nosuch'"),
        (FAST, "test", "", "at least one method"),
    ],
)
def test_what_is_refused_changes_nothing(
    comparison: Comparison,
    small_log: PreparedLog,
    overrides: Sequence[str],
    split: str,
    methods: Sequence[str],
    message: str,
) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in comparison.folder.iterdir()}
    with pytest.raises(InputError, match=message):
        compare(
            small_log,
            methods,
            comparison.folder,
            seeds=2,
            overrides=overrides,
            split=split,
            trials=0,
        )
    assert {p.name: p.stat().st_mtime_ns for p in comparison.folder.iterdir()} == before


def test_a_second_writer_is_refused(small_log: PreparedLog, tmp_path: Path) -> None:
    out = tmp_path / "results"
    refused = pytest.raises(InputError, match=r"another process is writing .*results: wait")
    with locked(out / "compare.lock", out), refused:
        compare(small_log, METHODS, out, seeds=1, overrides=FAST, trials=0)


def test_a_run_that_fails_is_one_line_and_the_others_stay(
    comparison: Comparison, small_log: PreparedLog, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    with pytest.raises(InputError, match="loss term '.*' is .* at epoch 1 step"):
        compare(
            small_log, ["naive"], out, seeds=1, overrides=[*FAST, "lr=1e9"], workers=1, trials=0
        )
    assert not (out / "results.parquet").exists()
    assert list(out.glob("runs/*/*")) == []
