"""Methods x seeds on one prepared log: the same protocol for all, judged on held-out data."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from postclick.data.prepared import PreparedLog
from postclick.experiments.plan import FIXED_BACKBONE, Plan
from postclick.experiments.summary import Summary, summarise
from postclick.experiments.workers import cores, run_all
from postclick.files import locked, make_folder, write_bytes, write_json
from postclick.progress import Reporter, Silent
from postclick.training.run import Run

RESULTS, SUMMARY = "results.parquet", "summary.json"
COLUMNS = {
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
        folder: where runs, results.parquet and summary.json are.
        results: one row per method, seed, metric and space; `value` is null where `undefined`
            gives the reason.
        summary: means, standard deviations and supported winners.
    """

    folder: Path
    results: pl.DataFrame
    summary: Summary


def compare(
    data: PreparedLog | str | Path,
    methods: str | Sequence[str],
    out: str | Path,
    *,
    seeds: int = 5,
    overrides: Sequence[str] = (),
    backbone: str = FIXED_BACKBONE,
    split: str = "test",
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> Comparison:
    """Train every method with every seed, judge each run on `split`, and summarise.

    Runs that are already in `out` are kept, an interrupted one is resumed. The backbone is the
    same for all methods unless `backbone="auto"` asks for each paper's own. Early stopping and
    the choice of epoch use the validation split only.

    Args:
        methods: names or variants (`evi`, `choruscvr/no_sam`), or `all`; one text may name
            several, separated by commas.
        overrides: settings for all methods, e.g. `["epochs=3"]`.
        workers: processes; by default one per core.

    Raises:
        InputError: an unknown method or setting, or `out` holds another comparison.
    """
    log = data if isinstance(data, PreparedLog) else PreparedLog(data)
    out, reporter = Path(out), reporter or Silent()
    names = methods.split(",") if isinstance(methods, str) else methods
    plan = Plan.make([n.strip() for n in names if n.strip()], seeds, overrides, backbone)
    log.split(split)
    make_folder(out)
    with locked(out / "compare.lock", out):
        plan.claim(out, log)
        planned = sum(job.settings.training.epochs for job in plan.jobs) * log.split("train").rows
        reporter.start(f"{len(plan.jobs)} runs, at most", planned, "rows")
        ended = run_all(plan.jobs, log.folder.resolve(), out, split, workers or cores(), reporter)
        for count, job in enumerate(ended, start=1):
            reporter.line(f"{job.method} seed {job.seed} done, {count} of {len(plan.jobs)} runs")
        results = _collect(plan, out, split)
        summary = summarise(results, plan, log, split)
        parquet = io.BytesIO()
        results.write_parquet(parquet)
        write_bytes(out / RESULTS, parquet.getvalue())
        write_json(out / SUMMARY, summary.as_dict())
    return Comparison(out, results, summary)


def _collect(plan: Plan, out: Path, split: str) -> pl.DataFrame:
    rows = [
        (job.method, job.seed, m["metric"], m["space"], m["value"], m["undefined"])
        for job in plan.jobs
        for m in Run(job.folder(out)).metrics[split]["metrics"]
    ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")
