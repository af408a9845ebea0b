"""The tuned table: the same draws for every method, chosen on validation alone."""

import json
import math
from pathlib import Path

import polars as pl
import pytest

from helpers.runs import FAST, SMALL
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.comparison.plan import Arm, Job, Plan
from postclick.experiments.comparison.results import Comparison
from postclick.experiments.comparison.trials import (
    LONGER,
    choose_trials,
    draw_settings,
    trial_jobs,
    tuned_jobs,
)
from postclick.reporting.compare import compare
from postclick.runs.kept_epoch import best_value, passes
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings

TRIALS = 3


@pytest.fixture(scope="module")
def comparison(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    out = tmp_path_factory.mktemp("tuned") / "results"
    arms = ["naive", Arm("slow", "esmm", ("lr=0.0001",))]
    return compare(small_log, arms, out, seeds=2, overrides=FAST, trials=TRIALS, workers=1)


def test_trial_0_has_the_given_settings_and_may_train_longer() -> None:
    given = RunSettings.make("esmm", overrides=SMALL)
    first = draw_settings(given, 0)
    assert first.network == given.network
    assert first.training.lr == given.training.lr
    assert first.training.epochs == LONGER * given.training.epochs
    assert (first.training.keep, first.training.patience) == ("best", 1)


def test_draws_are_the_same_for_all_and_differ_from_each_other() -> None:
    drawn = [draw_settings(RunSettings.make("esmm"), k).training for k in range(20)]
    again = [draw_settings(RunSettings.make("evi"), k).training for k in range(20)]
    assert drawn == again
    assert len({training.lr for training in drawn}) == 20
    ratios = [training.lr / drawn[0].lr for training in drawn[1:]]
    assert min(ratios) < 0.7
    assert max(ratios) > 1.4
    assert all(0.3 <= ratio <= 3 for ratio in ratios)


def test_draws_do_not_change() -> None:
    """Ranges are declared elsewhere: what earlier comparisons drew is what is drawn."""
    given = RunSettings.make("esmm", overrides=["lr=0.003", "embedding_dim=6"])
    drawn = [draw_settings(given, trial) for trial in (1, 5)]
    assert [
        (d.training.lr, d.training.weight_decay, d.network.dropout, d.network.embedding_dim)
        for d in drawn
    ] == [
        (0.002782763458202567, 0.0006384215678509565, 0.0, 16),
        (0.0010367410214010143, 1.556172264457183e-05, 0.0, 8),
    ]


def test_every_arm_has_the_same_number_of_trials_and_none_sees_the_test_split() -> None:
    jobs = trial_jobs(Plan.make(["naive", "evi/no_vie"], 3), 4)
    assert [job.place for job in jobs] == [
        f"trials/{arm}/trial-{k}" for arm in ("naive", "evi+no_vie") for k in range(4)
    ]
    assert not any(job.judged for job in jobs)
    assert {job.seed for job in jobs} == {0}


def test_the_best_trial_on_validation_is_chosen(comparison: Comparison) -> None:
    plan = Plan.make(["naive"], 2, FAST)
    jobs = trial_jobs(plan, TRIALS)
    reached = [best_value(Run(job.folder(comparison.folder)), "cvr_nll") for job in jobs]
    choice = choose_trials(jobs, comparison.folder)["naive"]
    assert choice.trial == reached.index(min(reached))
    assert choice.value == min(reached)
    runs = tuned_jobs(plan, {"naive": choice})
    assert [job.place for job in runs] == ["tuned/naive/seed-0", "tuned/naive/seed-1"]
    assert [job.settings.seed for job in runs] == [0, 1]
    assert {job.settings.training.lr for job in runs} == {choice.settings.training.lr}


def test_trials_are_never_judged(comparison: Comparison) -> None:
    folders = list(comparison.folder.glob("trials/*/*"))
    assert len(folders) == 2 * TRIALS
    for folder in folders:
        assert not (folder / "metrics.json").exists()
        assert not (folder / "predictions").exists()


def test_both_tables_are_there(comparison: Comparison) -> None:
    results = pl.read_parquet(comparison.folder / "results.parquet")
    counts = results.group_by("protocol").len().sort("protocol")
    assert counts["protocol"].to_list() == ["fixed", "tuned"]
    assert counts["len"].n_unique() == 1
    assert comparison.tuned is not None
    told = comparison.tuned.protocol
    assert set(told["tuned"]) == {"naive", "slow"}
    assert "at most 2 passes, best cvr_nll on validation" in told["length"]
    assert (
        comparison.summary.protocol["length"] == "1 pass of the CVR model for all, the last weights"
    )
    assert comparison.summary.protocol["passes"] == {"naive": 1.0, "slow": 1.0}
    written = json.loads((comparison.folder / "summary.json").read_text())
    assert set(written["protocols"]) == {"fixed", "tuned"}


def test_passes_are_those_of_the_weights_that_were_kept(comparison: Comparison) -> None:
    for folder in comparison.folder.glob("tuned/*/*"):
        run = Run(folder)
        values = [record["valid"]["cvr_nll"] for record in run.history]
        assert passes(run) == values.index(min(values)) + 1
        assert best_value(run, "cvr_nll") == min(values)


def test_a_trial_that_diverges_is_left_out(small_log: PreparedLog, tmp_path: Path) -> None:
    plan = Plan.make(["naive"], 1, [*FAST, "lr=1e9"])
    with pytest.raises(InputError, match="every trial of naive diverged"):
        choose_trials(trial_jobs(plan, 2), tmp_path)
    jobs = [Job("naive", 0, plan.jobs[0].settings, "trials/naive/trial-0", judged=False)]
    from postclick.experiments.comparison.run_jobs import JobRunner
    from postclick.progress import Silent

    JobRunner(small_log, tmp_path, "test", None, Silent()).run(jobs)
    assert not jobs[0].folder(tmp_path).exists()


def test_predictions_are_kept_in_the_order_of_the_split(
    comparison: Comparison, small_log: PreparedLog
) -> None:
    """The AUC of the kept logits is the AUC that was reported."""
    from postclick.metrics.auc import auc

    run = Run(comparison.folder / "runs" / "naive" / "seed-1")
    kept = run.predictions("test")
    assert kept.columns == ["ctr_logit", "cvr_logit"]
    click = small_log.rows("test").click.numpy().astype(bool)
    reported = next(m for m in run.metrics["test"]["metrics"] if m["metric"] == "ctr_auc")
    found = auc(kept["ctr_logit"].to_numpy(), click)
    assert found is not None
    assert math.isclose(found, reported["value"], abs_tol=1e-12)
    with pytest.raises(InputError, match="does not exist: predictions are kept by compare"):
        run.predictions("valid")
