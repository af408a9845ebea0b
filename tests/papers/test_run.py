"""Every experiment on a tiny log: it runs, writes what it says, and its figures are right."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from helpers.commands import OUTCOMES
from helpers.runs import SMALL
from postclick import prepare
from postclick.data.manifest import Split
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.datasets.simulated import SimulatedLog
from postclick.errors import InputError
from postclick.judging.labels import split_labels
from postclick.papers import EXPERIMENTS, Reproduction, reproduce
from postclick.runs.run import Run

# Three layers, so that three can be matched.
TINY = [
    *(text for text in SMALL if not text.startswith(("tower", "backbone", "epochs"))),
    "tower=[8,6,4]",
    "experts=2",
    "expert_width=8",
    "epochs=1",
]
Runner = Callable[[str], Reproduction]


@pytest.fixture(scope="module")
def runner(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Runs an experiment once; those of a paper share a folder, and so their runs."""
    out = tmp_path_factory.mktemp("reproduce") / "out"

    @cache
    def run(name: str) -> Reproduction:
        return reproduce(name, small_log, out, seeds=2, overrides=TINY, workers=1)

    return run


def with_splits(log: PreparedLog, splits: dict[str, Split]) -> PreparedLog:
    """The same log with other splits, in memory."""
    changed = PreparedLog(log.folder)
    changed.manifest = log.manifest.model_copy(update={"splits": splits})
    return changed


@pytest.mark.parametrize(
    "name",
    [
        "evi-table1",
        "choruscvr-fig3",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in EXPERIMENTS
            if name not in ("evi-table1", "choruscvr-fig3")
        ),
    ],
)
def test_every_experiment_runs(runner: Runner, name: str) -> None:
    found = runner(name)
    experiment = found.experiment
    assert found.warning is not None and "models stay near their start" in found.warning
    assert found.warning in (found.folder / f"{name}.md").read_text(encoding="utf-8")
    assert all(path.stat().st_size > 1000 for path in found.files)
    assert len(found.files) == (3 if experiment.panels else 2)
    for column in experiment.columns:
        values = found.results.values[column.key]
        assert set(values) == {arm.label for arm in experiment.arms}, "truth is known here"
        assert all(len(by_seed) == 2 for by_seed in values.values())
    assert [finding.claim for finding in found.findings] == list(experiment.claims)
    assert all(finding.verdict != "not tested" for finding in found.findings)
    page = found.files[0].read_text(encoding="utf-8")
    assert page.startswith(f"# {name}: {experiment.paper.name}, {experiment.where}\n")
    assert all(entry.title in page for entry in experiment.entries)
    data = json.loads(found.files[1].read_text(encoding="utf-8"))
    assert [row["title"] for row in data["rows"]] == [e.title for e in experiment.entries]
    assert [cost.arm for cost in found.costs] == [arm.label for arm in experiment.arms]
    assert bool(found.panels) == (experiment.panels is not None)
    if experiment.panels:
        html = found.files[2].read_text(encoding="utf-8")
        assert "Plotly.newPlot" in html
        assert "<script src=" not in html and "<link " not in html, "self-contained"


def test_measured_values_are_those_of_the_runs(runner: Runner) -> None:
    found = runner("evi-table1")
    for arm in found.experiment.arms:
        for seed in range(2):
            run = Run(found.folder / "evi" / "runs" / arm.folder / f"seed-{seed}")
            metrics = run.metrics["test"]["metrics"]
            auc = next(m["value"] for m in metrics if m["metric"] == "cvr_auc")
            assert found.results.values["cvr_auc"][arm.label][seed] == auc
            assert run.settings.network.backbone == "mmoe"


def test_a_papers_experiments_share_their_runs(small_log: PreparedLog, runner: Runner) -> None:
    folder = runner("evi-table1").folder / "evi" / "runs"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*/model.safetensors")}
    again = reproduce(
        "evi-table1", small_log, folder.parents[1], seeds=2, overrides=TINY, workers=1
    )
    assert again.results == runner("evi-table1").results
    assert (
        before.items()
        <= {path: path.stat().st_mtime_ns for path in folder.glob("*/*/model.safetensors")}.items()
    )


def test_pcoc_by_pctr_is_what_its_definition_says(runner: Runner, small_log: PreparedLog) -> None:
    found = runner("choruscvr-fig3")
    labels = split_labels(small_log, "test")
    run = Run(found.folder / "choruscvr" / "runs" / "dcmt" / "seed-1")
    logits = run.predictions("test")
    pctr = logits["ctr_logit"].to_numpy()[labels.click]
    pcvr = expit(logits["cvr_logit"].to_numpy().astype(float))[labels.click]
    lowest = np.argsort(pctr, kind="stable")[: round(len(pctr) / 5)]
    assert np.sort(pctr)[len(lowest) - 1] < np.sort(pctr)[len(lowest)], "no tie at the bound"
    pcoc = pcvr[lowest].sum() / labels.conversion[labels.click][lowest].sum()
    assert found.results.values["low_pcoc"]["dcmt"][1] == pytest.approx(pcoc, rel=0.02)
    titles = [panel.title for panel in found.panels]
    assert titles[0] == "DCMT: estimated and actual CVR by its own pCTR, clicked rows"
    assert titles[2] == "DCMT: estimated and actual CVR by the mean pCTR of both, clicked rows"
    assert titles[-1] == "ChorusCVR: estimated and true CVR by its own pCTR, all impressions"
    own = found.panels[0].series
    assert [series.name for series in own] == ["estimated pCVR", "actual CVR"]
    rate = labels.conversion.sum() / labels.click.sum()
    actual = [value for value in own[1].y if value is not None]
    assert len(actual) == 10 and np.mean(actual) == pytest.approx(rate, rel=0.02)
    shared = [panel.series[1].y for panel in found.panels[2:4]]
    assert shared[0] == shared[1], "by a common pCTR both models are shown the same rows"


@pytest.mark.slow
def test_teachers_and_bias_are_what_their_definitions_say(
    runner: Runner, small_log: PreparedLog
) -> None:
    found = runner("evi-fig2")
    labels = split_labels(small_log, "test")
    for arm in ("ukd", "evi"):
        logits = Run(found.folder / "evi" / "runs" / arm / "seed-0").predictions("test")
        teacher = expit(logits["teacher_logit"].to_numpy().astype(float))[~labels.click]
        cvr = expit(logits["cvr_logit"].to_numpy().astype(float))
        truth = labels.truth["true_cvr"].astype(float)
        expected = {
            "teacher_recorded": -np.log(1 - teacher).mean(),
            "teacher_true": -(
                truth[~labels.click] * np.log(teacher)
                + (1 - truth[~labels.click]) * np.log(1 - teacher)
            ).mean(),
            "mean_bias": cvr[labels.click].mean() - labels.conversion[labels.click].mean(),
            "true_bias": cvr.mean() - truth.mean(),
        }
        for column, value in expected.items():
            assert found.results.values[column][arm][0] == pytest.approx(value, abs=1e-6), column


def test_a_log_without_truth_leaves_the_true_columns_out(
    small_raw: SimulatedLog, tmp_path: Path
) -> None:
    schema = small_raw.schema.model_copy(update={"truth": type(small_raw.schema.truth)()})
    train, test = (FrameSource(f.drop(OUTCOMES)) for f in (small_raw.train, small_raw.test))
    log = prepare(LogSplits(schema, train, test), tmp_path / "data")
    found = reproduce("choruscvr-fig3", log, tmp_path / "out", seeds=1, overrides=TINY, workers=1)
    assert set(found.results.undefined["low_true"]) == {"dcmt", "choruscvr"}
    assert (
        found.finding("overestimates the true CVR").reason
        == "the true CVR of this log is not known"
    )
    assert found.finding("DCMT overestimates CVR").verdict == "not tested", "one seed is no test"
    assert not any("true CVR" in panel.title for panel in found.panels)


def test_what_cannot_run_is_told_in_one_line(small_log: PreparedLog, tmp_path: Path) -> None:
    def refused(name: str, log: PreparedLog, **more: object) -> str:
        with pytest.raises(InputError) as error:
            reproduce(name, log, tmp_path / "out", **more)  # type: ignore[arg-type]
        assert "\n" not in str(error.value)
        return str(error.value)

    assert refused("table1", small_log) == (
        "there is no experiment 'table1' (did you mean 'evi-table1'?); there are choruscvr-table1, "
        "choruscvr-fig3, evi-table1, evi-table2, evi-fig2, evi-fig3"
    )
    splits = dict(small_log.manifest.splits)
    no_valid = {name: split for name, split in splits.items() if name != "valid"}
    assert "has no validation split" in refused("evi-table1", with_splits(small_log, no_valid))
    empty = {**splits, "test": splits["test"].model_copy(update={"conversions": 0})}
    assert "no recorded conversion in its test split" in refused(
        "evi-table1", with_splits(small_log, empty)
    )
    no_test = {name: split for name, split in splits.items() if name != "test"}
    assert "no split 'test'" in refused("evi-table1", with_splits(small_log, no_test))
    assert "is not a known setting" in refused("evi-table1", small_log, overrides=["nosuch=1"])
    assert "at least one method and one seed" in refused("evi-table1", small_log, seeds=0)
    assert not (tmp_path / "out").exists(), "nothing is left behind by a mistake"
