"""Runs side by side: one process per core, each working off runs on one thread."""

import gc
import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.managers import SyncManager
from pathlib import Path
from queue import Empty
from typing import Any, Protocol

from postclick.calibration.study import FITTED_ON, add_study
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError, RunFailedError
from postclick.experiments.plan import Job
from postclick.progress import Reporter, Silent
from postclick.training.run import PREDICTIONS, Run, train


class _Messages(Protocol):
    def put(self, item: tuple[str, int]) -> None: ...
    def get_nowait(self) -> tuple[str, int]: ...


class _Flag(Protocol):
    def is_set(self) -> bool: ...


class _StoppedError(Exception):
    """Another run has failed; this one can be resumed."""


class _Forward(Silent):
    """Sends a run's progress to the parent process, and stops the run if that gave up."""

    def __init__(self, label: str, messages: _Messages, stop: _Flag) -> None:
        self.label, self.messages, self.stop, self.pending = label, messages, stop, 0

    def advance(self, steps: int, note: str = "") -> None:
        self.pending += steps
        if self.pending >= 20_000:
            if self.stop.is_set():
                raise _StoppedError
            self.messages.put(("", self.pending))
            self.pending = 0

    def line(self, text: str) -> None:
        self.messages.put((f"{self.label}: {text}", self.pending))
        self.pending = 0


_OPEN: dict[str, PreparedLog] = {}


def run_job(job: Job, data: Path, out: Path, split: str, reporter: Reporter) -> None:
    """Train one run and, if it is to be judged, evaluate it, unless that is already done.

    A trial that diverges is told and left out; others are an error.
    """
    key = str(data)
    if key not in _OPEN:
        _OPEN.clear()  # one log at a time: its rows stay in memory for the next run
        _OPEN[key] = PreparedLog(data)
    log = _OPEN[key]
    folder = job.folder(out)
    try:
        run = (
            Run(folder) if folder.exists() else train(log, job.settings, folder, reporter=reporter)
        )
    except RunFailedError as error:
        if job.judged:
            raise
        reporter.line(f"left out: {error}")
        return
    kept = folder / PREDICTIONS / f"{split}.parquet"
    if job.judged and (split not in run.metrics or not kept.exists()):
        run.evaluate(log, split, keep_predictions=True)
    if job.judged and split != FITTED_ON:
        add_study(run, log, split)


def _settle() -> None:
    """What is imported stays: no later run of this process has to look through it for garbage."""
    gc.collect()
    gc.freeze()
    _end_with_parent()


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for its next job for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is called in processes that were spawned"

    def wait_and_end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()


def _work(job: Job, data: Path, out: Path, split: str, messages: Any, stop: Any) -> None:
    if not stop.is_set():
        run_job(job, data, out, split, _Forward(job.name, messages, stop))


@dataclass(frozen=True)
class Team:
    """Who works on the runs of a comparison, and where."""

    log: PreparedLog
    out: Path
    split: str
    workers: int
    reporter: Reporter

    def run(self, jobs: Sequence[Job]) -> None:
        """Run `jobs`, side by side, and tell each as it ends."""
        rows = sum(job.settings.epochs for job in jobs) * self.log.split("train").rows
        self.reporter.start(f"{len(jobs)} runs, at most", rows, "rows")
        data = self.log.folder.resolve()
        ended = run_all(jobs, data, self.out, self.split, self.workers, self.reporter)
        for count, job in enumerate(ended, start=1):
            self.reporter.line(f"{job.name} done, {count} of {len(jobs)} runs")


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(
    jobs: Sequence[Job], data: Path, out: Path, split: str, workers: int, reporter: Reporter
) -> Iterator[Job]:
    """Run jobs, `workers` at a time, and yield each as it ends.

    New processes are spawned, never forked: polars and torch have threads that a fork breaks.
    """
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            run_job(job, data, out, split, _Labelled(job, reporter))
            yield job
        return
    try:
        yield from _run_side_by_side(jobs, data, out, split, workers, reporter)
    except (BrokenProcessPool, EOFError):
        raise InputError(
            "a worker process died before its run was done (out of memory? or a script that "
            "calls compare outside `if __name__ == '__main__':`): finished runs are kept, "
            "continue with workers=1"
        ) from None


def _run_side_by_side(
    jobs: Sequence[Job], data: Path, out: Path, split: str, workers: int, reporter: Reporter
) -> Iterator[Job]:
    context = multiprocessing.get_context("spawn")
    pool_of = ProcessPoolExecutor(workers, mp_context=context, initializer=_settle)
    manager_of = SyncManager(ctx=context)
    manager_of.start(_end_with_parent)
    with manager_of as manager, pool_of as pool:
        messages, stop = manager.Queue(), manager.Event()
        waiting: dict[Future[None], Job] = {
            pool.submit(_work, job, data, out, split, messages, stop): job for job in jobs
        }
        try:
            while waiting:
                done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                _relay(messages, reporter)
                for future in done:
                    job = waiting.pop(future)
                    future.result()
                    yield job
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _relay(messages: _Messages, reporter: Reporter) -> None:
    while True:
        try:
            text, steps = messages.get_nowait()
        except Empty:
            return
        reporter.advance(steps)
        if text:
            reporter.line(text)


class _Labelled(Silent):
    """Puts the run's name before its lines."""

    def __init__(self, job: Job, reporter: Reporter) -> None:
        self.job, self.reporter = job, reporter

    def advance(self, steps: int, note: str = "") -> None:
        self.reporter.advance(steps)

    def line(self, text: str) -> None:
        self.reporter.line(f"{self.job.name}: {text}")
