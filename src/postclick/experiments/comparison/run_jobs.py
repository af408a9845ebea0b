"""The runs of a comparison, one after the other or side by side."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postclick.data.prepared import PreparedLog
from postclick.errors import RunFailedError
from postclick.experiments.comparison.plan import Job
from postclick.experiments.opened_log import open_log_once
from postclick.experiments.worker_pool import (
    ForwardingReporter,
    LabelledReporter,
    WorkerPool,
    worker_pool,
)
from postclick.metrics.catalogue import added
from postclick.progress import Reporter
from postclick.runs.calibration_study import FITTED_ON, add_study
from postclick.runs.folder import PREDICTIONS
from postclick.runs.run import finished
from postclick.tracking.destination import Destination, trackers_of
from postclick.training.train import train


def run_job(
    job: Job,
    data: Path,
    out: Path,
    split: str,
    reporter: Reporter,
    track: Sequence[Destination] = (),
    by: Sequence[str] = (),
) -> None:
    """Train one run and, if it is to be judged, evaluate it, unless that is already done.

    `by` names features, for each of whose values it is judged as well. A trial that diverges is
    told and left out; others are an error.
    """
    log = open_log_once(data)
    folder = job.folder(out)
    try:
        if folder.exists():
            run = finished(folder)
        else:
            trackers = trackers_of(track, job.name)
            run = train(log, job.settings, folder, reporter=reporter, track=trackers)
    except RunFailedError as error:
        if job.judged:
            raise
        reporter.line(f"left out: {error}")
        return
    kept = folder / PREDICTIONS / f"{split}.parquet"
    found = run.metrics.get(split)
    done = kept.exists() and found is not None and _has_all(found, by)
    if job.judged and not done:
        run.evaluate(log, split, keep_predictions=True, by=by)
    if job.judged and split != FITTED_ON:
        add_study(run, log, split)


def _has_all(found: dict[str, Any], by: Sequence[str]) -> bool:
    """Whether a judgement has each feature of `by`, and metrics that were registered since."""
    wanted = {figure.name for figure in added() if not figure.needs_truth and not figure.needs}
    measured = {entry["metric"] for entry in found["metrics"]}
    return set(by) <= set(found.get("by", ())) and wanted <= measured


def _run_in_worker(
    job: Job,
    data: Path,
    out: Path,
    split: str,
    track: tuple[Destination, ...],
    by: tuple[str, ...],
    messages: Any,
    stop: Any,
) -> None:
    if not stop.is_set():
        run_job(job, data, out, split, ForwardingReporter(job.name, messages, stop), track, by)


@dataclass(frozen=True)
class JobRunner:
    """Runs the jobs of a comparison: in the processes of a pool, or without one in this process."""

    log: PreparedLog
    out: Path
    split: str
    pool: WorkerPool | None
    reporter: Reporter
    track: tuple[Destination, ...] = ()
    by: tuple[str, ...] = ()

    def run(self, jobs: Sequence[Job]) -> None:
        """Run `jobs`, side by side, and tell each as it ends."""
        rows = sum(job.settings.epochs for job in jobs) * self.log.split("train").rows
        self.reporter.start(f"{len(jobs)} runs, at most", rows, "rows")
        data = self.log.folder.resolve()
        told = self.reporter, self.track, self.by
        ended = run_jobs(jobs, data, self.out, self.split, self.pool, *told)
        for count, job in enumerate(ended, start=1):
            self.reporter.line(f"{job.name} done, {count} of {len(jobs)} runs")


def run_jobs(
    jobs: Sequence[Job],
    data: Path,
    out: Path,
    split: str,
    pool: WorkerPool | None,
    reporter: Reporter,
    track: tuple[Destination, ...] = (),
    by: tuple[str, ...] = (),
) -> Iterator[Job]:
    """Run jobs, by the pool or one after the other in this process, and yield each as it ends."""
    if pool is None:
        for job in jobs:
            run_job(job, data, out, split, LabelledReporter(job.name, reporter), track, by)
            yield job
        return
    waiting: dict[Future[None], Job] = {
        pool.submit(_run_in_worker, job, data, out, split, track, by): job for job in jobs
    }
    while waiting:
        for future in pool.ended(waiting):
            job = waiting.pop(future)
            future.result()
            yield job


@contextmanager
def pool_if_needed(workers: int, jobs: int, reporter: Reporter) -> Iterator[WorkerPool | None]:
    """A pool of `workers`, or of as many as there are jobs; none where one would do.

    Raises:
        InputError: a worker died.
    """
    if min(workers, jobs) <= 1:
        yield None
        return
    with worker_pool(min(workers, jobs), reporter, "compare") as pool:
        yield pool
