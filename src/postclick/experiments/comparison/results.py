"""What the finished runs of a comparison say, as tidy results and summaries."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import polars as pl

from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.plan import Job, Plan
from postclick.experiments.comparison.recommendation import Recommendation, recommend
from postclick.experiments.comparison.row_tests import over_rows
from postclick.experiments.comparison.summary import Summary, protocol, summarise
from postclick.experiments.comparison.trials import (
    ChosenTrial,
    choose_trials,
    trial_jobs,
    tuned_jobs,
)
from postclick.judging.labels import split_labels
from postclick.judging.oracle import oracle_metrics
from postclick.metrics.metric import MetricValue
from postclick.runs.kept_epoch import passes
from postclick.runs.run import Run

RESULTS, SUMMARY = "results.parquet", "summary.json"
COLUMNS = {
    "protocol": pl.String,
    "method": pl.String,
    "seed": pl.Int32,
    "metric": pl.String,
    "space": pl.String,
    "value": pl.Float64,
    "undefined": pl.String,
}


@dataclass(frozen=True)
class Comparison:
    """Results of a comparison.

    Attributes:
        folder: where runs, results.parquet, summary.json, diagnostics.json and report.html are.
        results: one row per protocol, method, seed, metric and space; `value` is null where
            `undefined` gives the reason.
        summary: means, standard deviations and supported winners, every method trained for the
            same number of passes.
        tuned: the same with each method tuned on validation, or `None` without trials.
        answer: what to ship, from the tuned table where there is one.
    """

    folder: Path
    results: pl.DataFrame
    summary: Summary
    tuned: Summary | None
    answer: Recommendation | None = None

    def as_dict(self) -> dict[str, Any]:
        """As written to summary.json."""
        found = {"fixed": self.summary, "tuned": self.tuned}
        return {
            "answer": None if self.answer is None else self.answer.as_dict(),
            "protocols": {name: s.as_dict() for name, s in found.items() if s is not None},
        }


@dataclass(frozen=True)
class ProtocolRuns:
    """The runs of one protocol, and so of one table, and how their settings were chosen."""

    jobs: tuple[Job, ...]
    chosen: Mapping[str, ChosenTrial]

    def run_folders(self, plan: Plan) -> dict[str, list[str]]:
        """Run folders of each arm, by seed."""
        return {a: [job.place for job in self.jobs if job.arm == a] for a in plan.labels}


def fixed_runs(plan: Plan) -> ProtocolRuns:
    """Every method trained for the same number of passes."""
    return ProtocolRuns(plan.jobs, {})


def tuned_runs(plan: Plan, trials: int, out: Path) -> ProtocolRuns:
    """Every method with the best of its finished trials."""
    chosen = choose_trials(trial_jobs(plan, trials), out)
    return ProtocolRuns(tuned_jobs(plan, chosen), chosen)


def gather_results(
    log: PreparedLog, plan: Plan, protocols: Mapping[str, ProtocolRuns], out: Path, split: str
) -> Comparison:
    """Read what every run of `protocols` reached on `split`, and summarise and test each.

    Raises:
        InputError: a run is missing or damaged, or has kept no predictions.
    """
    results = pl.concat(_collect(name, runs.jobs, out, split) for name, runs in protocols.items())
    known = "true_cvr" in log.split(split).truth
    oracle = oracle_metrics(log, split) if known else []
    labels = split_labels(log, split)
    summaries = {}
    for name, runs in protocols.items():
        mine = results.filter(pl.col("protocol") == name)
        summary = _summarise(mine, runs, plan, log, out, split, oracle)
        summaries[name] = over_rows(summary, labels, out, runs.run_folders(plan))
    return Comparison(out, results, summaries["fixed"], summaries.get("tuned"))


def answered(
    found: Comparison,
    diagnostics: Mapping[str, Any],
    protocols: Mapping[str, ProtocolRuns],
    plan: Plan,
    log: PreparedLog,
) -> Comparison:
    """The comparison with its answer, from the table that the report rests on."""
    name = "fixed" if found.tuned is None else "tuned"
    apart = {job.arm for job in plan.jobs if job.settings.differs_on_clicks}
    command = {
        label: shlex.join(
            ["postclick", "calibrate", str(found.folder / places[0]), str(log.folder)]
        )
        for label, places in protocols[name].run_folders(plan).items()
        if label not in apart
    }
    mine = found.results.filter(pl.col("protocol") == name)
    answer = recommend(found.tuned or found.summary, mine, diagnostics, name, command)
    return replace(found, answer=answer)


def _collect(protocol: str, jobs: Sequence[Job], out: Path, split: str) -> pl.DataFrame:
    rows = [
        (protocol, job.arm, job.seed, m["metric"], m["space"], m["value"], m["undefined"])
        for job in jobs
        for m in Run(job.folder(out)).metrics[split]["metrics"]
    ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def _summarise(
    results: pl.DataFrame,
    runs: ProtocolRuns,
    plan: Plan,
    log: PreparedLog,
    out: Path,
    split: str,
    oracle: Sequence[MetricValue],
) -> Summary:
    kept = {
        label: fmean(passes(Run(out / folder)) for folder in folders)
        for label, folders in runs.run_folders(plan).items()
    }
    chosen = {label: choice.tuned for label, choice in runs.chosen.items()}
    training = runs.jobs[0].settings.training
    return summarise(results, plan, protocol(plan, log, split, training, kept, chosen), oracle)
