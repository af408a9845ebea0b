"""Methods x seeds on one prepared log: the same protocol for all, judged on held-out data."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import polars as pl

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.evaluation.metric import MetricValue
from postclick.evaluation.oracle import oracle_metrics
from postclick.experiments.diagnostics import DIAGNOSTICS, diagnose
from postclick.experiments.plan import FIXED_BACKBONE, Arm, Job, Plan
from postclick.experiments.summary import Summary, protocol, summarise
from postclick.experiments.trials import Choice, choose, passes, trial_jobs, tuned_jobs
from postclick.experiments.workers import Team, cores
from postclick.files import locked, make_folder, write_bytes, write_json
from postclick.progress import Reporter, Silent
from postclick.training.run import Run

RESULTS, SUMMARY = "results.parquet", "summary.json"
TRIALS = 6
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
    """

    folder: Path
    results: pl.DataFrame
    summary: Summary
    tuned: Summary | None

    def as_dict(self) -> dict[str, Any]:
        """As written to summary.json."""
        parts = {"fixed": self.summary, "tuned": self.tuned}
        return {"protocols": {name: s.as_dict() for name, s in parts.items() if s is not None}}


def compare(
    data: PreparedLog | str | Path,
    methods: str | Sequence[str | Arm],
    out: str | Path,
    *,
    seeds: int = 5,
    overrides: Sequence[str] = (),
    backbone: str = FIXED_BACKBONE,
    split: str = "test",
    trials: int = TRIALS,
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> Comparison:
    """Train every method with every seed, judge each run on `split`, and summarise.

    Two tables: in `summary` every method has the same settings, trains for the same number of
    passes and keeps what it has then; in `tuned` each has the best of `trials` settings, the same
    draws for all, and its own best length, both chosen on the validation split with one seed.

    Runs that are already in `out` are kept, an interrupted one is resumed. The backbone is the
    same for all methods unless `backbone="auto"` asks for each paper's own.

    Args:
        methods: names or variants (`evi`, `choruscvr/no_sam`), `all`, or `Arm`s with settings of
            their own; one text may name several, separated by commas.
        overrides: settings for all methods, e.g. `["epochs=3"]`.
        trials: settings tried per method for the second table; 0 leaves it out.
        workers: processes; by default one per core.

    Raises:
        InputError: an unknown method or setting, or `out` holds another comparison.
    """
    log = data if isinstance(data, PreparedLog) else PreparedLog(data)
    out, reporter = Path(out), reporter or Silent()
    given = [n.strip() for n in methods.split(",")] if isinstance(methods, str) else methods
    plan = Plan.make([arm for arm in given if arm], seeds, overrides, backbone)
    if trials < 0:
        raise InputError(f"trials is {trials}: give 0 or more")
    log.split(split)
    make_folder(out)
    with locked(out / "compare.lock", out):
        plan.claim(out, log, trials)
        team = Team(log, out, split, workers or cores(), reporter)
        team.run(plan.jobs)
        protocols = {"fixed": _Part(plan.jobs, {})}
        if trials:
            tried = trial_jobs(plan, trials)
            team.run(tried)
            chosen = choose(tried, out)
            protocols["tuned"] = _Part(tuned_jobs(plan, chosen), chosen)
            team.run(protocols["tuned"].jobs)
        results = pl.concat(
            _collect(name, part.jobs, out, split) for name, part in protocols.items()
        )
        known = "true_cvr" in next(log.windows(split)).truth
        oracle = oracle_metrics(log, split) if known else []
        summaries = {
            name: _summarise(name, part, results, plan, log, out, split, oracle)
            for name, part in protocols.items()
        }
        parquet = io.BytesIO()
        results.write_parquet(parquet)
        write_bytes(out / RESULTS, parquet.getvalue())
        found = Comparison(out, results, summaries["fixed"], summaries.get("tuned"))
        write_json(out / SUMMARY, found.as_dict())
        places = {
            name: {a: [job.place for job in part.jobs if job.arm == a] for a in plan.labels}
            for name, part in protocols.items()
        }
        write_json(out / DIAGNOSTICS, diagnose(log, split, out, places))
        # Here, for the report reads the names of a comparison's files from this module.
        from postclick.reporting import report

        report(out)
    return found


@dataclass(frozen=True)
class _Part:
    """The runs of one table, and how they were chosen."""

    jobs: tuple[Job, ...]
    chosen: Mapping[str, Choice]


def _collect(protocol: str, jobs: Sequence[Job], out: Path, split: str) -> pl.DataFrame:
    rows = [
        (protocol, job.arm, job.seed, m["metric"], m["space"], m["value"], m["undefined"])
        for job in jobs
        for m in Run(job.folder(out)).metrics[split]["metrics"]
    ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def _summarise(
    name: str,
    part: _Part,
    results: pl.DataFrame,
    plan: Plan,
    log: PreparedLog,
    out: Path,
    split: str,
    oracle: Sequence[MetricValue],
) -> Summary:
    mine = results.filter(pl.col("protocol") == name)
    kept = {
        label: fmean(passes(Run(job.folder(out))) for job in part.jobs if job.arm == label)
        for label in plan.labels
    }
    chosen = {label: choice.tuned for label, choice in part.chosen.items()}
    settings = part.jobs[0].settings
    told = protocol(plan, log, split, settings.training, kept, chosen)
    return summarise(mine, plan, told, oracle)
