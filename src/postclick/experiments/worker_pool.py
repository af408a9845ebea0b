"""Processes that work side by side on runs, one thread each, and what they send back."""

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.managers import SyncManager
from queue import Empty
from typing import Any, Protocol

from postclick.errors import InputError
from postclick.metrics import Metric
from postclick.metrics.catalogue import added_metrics, register
from postclick.progress import Reporter, Silent
from postclick.registry import allow, allowed
from postclick.spelling import option, speak_to, typed


class Messages(Protocol):
    """A queue between processes: lines, and rows that were trained on."""

    def put(self, item: tuple[str, int]) -> None: ...
    def get_nowait(self) -> tuple[str, int]: ...


class StopFlag(Protocol):
    """Whether another run has failed."""

    def is_set(self) -> bool: ...


class StoppedError(Exception):
    """Another run has failed; this one can be resumed."""


class ForwardingReporter(Silent):
    """Sends a run's progress to the parent process, and stops the run if that gave up."""

    def __init__(self, label: str, messages: Messages, stop: StopFlag) -> None:
        self.label, self.messages, self.stop, self.pending = label, messages, stop, 0

    def advance(self, steps: int, note: str = "") -> None:
        self.pending += steps
        if self.pending >= 20_000:
            if self.stop.is_set():
                raise StoppedError
            self.messages.put(("", self.pending))
            self.pending = 0

    def line(self, text: str) -> None:
        label = f"{self.label}: " if self.label else ""
        self.messages.put((f"{label}{text}", self.pending))
        self.pending = 0


class LabelledReporter(Silent):
    """Puts the run's name before its lines."""

    def __init__(self, label: str, reporter: Reporter) -> None:
        self.label, self.reporter = label, reporter

    def advance(self, steps: int, note: str = "") -> None:
        self.reporter.advance(steps)

    def line(self, text: str) -> None:
        self.reporter.line(f"{self.label}: {text}")


@dataclass(frozen=True)
class WorkerPool:
    """Worker processes. They are spawned, never forked: polars and torch have threads that a
    fork breaks.
    """

    processes: ProcessPoolExecutor
    messages: Messages
    stop: StopFlag
    reporter: Reporter

    def submit(self, work: Callable[..., None], *arguments: Any) -> Future[None]:
        """Have `work(*arguments, messages, stop)` done by a worker."""
        return self.processes.submit(work, *arguments, self.messages, self.stop)

    def ended(self, waiting: Collection[Future[None]]) -> set[Future[None]]:
        """Those that end within half a second; tells what workers sent meanwhile."""
        done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
        while True:
            try:
                text, steps = self.messages.get_nowait()
            except Empty:
                return done
            self.reporter.advance(steps)
            if text:
                self.reporter.line(text)


@contextmanager
def worker_pool(
    workers: int, reporter: Reporter, verb: str, *, kept: bool = True
) -> Iterator[WorkerPool]:
    """A pool; on an error its runs are stopped, and can be resumed if they are `kept`.

    Raises:
        InputError: a worker died.
    """
    context = multiprocessing.get_context("spawn")
    settings = (allowed(), added_metrics(), typed())
    executor = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_settle, initargs=settings
    )
    manager_of = SyncManager(ctx=context)
    try:
        manager_of.start(_end_with_parent)
        with manager_of as manager, executor as processes:
            messages, stop = manager.Queue(), manager.Event()
            try:
                yield WorkerPool(processes, messages, stop, reporter)
            except BaseException:
                stop.set()
                processes.shutdown(cancel_futures=True)
                raise
    except (BrokenProcessPool, EOFError):
        raise InputError(
            "a worker process died before its run was done (out of memory? or a script that "
            f"calls {verb} outside `if __name__ == '__main__':`): "
            f"{'finished runs are kept, continue' if kept else 'try again'} with "
            f"{option('workers', 1)}"
        ) from None


def _settle(
    packages: tuple[str, ...], metrics: tuple[Metric[Any], ...], command_line: bool
) -> None:
    """What is imported stays: no later run of this process has to look through it for garbage.

    `packages` are those that the user lets methods come from, `metrics` those that the parent has
    registered beside ours; messages are for the `command_line` if those of the parent are.
    """
    speak_to(command_line)
    allow(*packages)
    for metric in metrics:
        register(metric)
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
