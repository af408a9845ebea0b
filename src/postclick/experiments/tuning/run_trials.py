"""Trials, one after the other or side by side."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from postclick.errors import RunFailedError, RunStoppedError
from postclick.experiments.opened_log import open_log_once
from postclick.experiments.tuning.optuna_study import (
    distribution,
    open_study,
    place_of,
    quiet,
    sampler,
    values_of,
)
from postclick.experiments.tuning.pruning import Pruning
from postclick.experiments.tuning.search_space import SearchSpace
from postclick.experiments.worker_pool import ForwardingReporter, LabelledReporter, worker_pool
from postclick.progress import Reporter
from postclick.runs.kept_epoch import best_value
from postclick.runs.run import finished
from postclick.tracking.destination import Destination, trackers_of
from postclick.training.train import train

TRIALS = "trials"


@dataclass(frozen=True)
class Search:
    """What every worker has to know."""

    data: Path
    out: Path
    space: SearchSpace
    track: tuple[Destination, ...] = ()

    @property
    def metric(self) -> str:
        return self.space.base.training.monitor

    def run(self, number: int, reporter: Reporter) -> str:
        """Run the next trial, the `number`-th that is begun, and say in a line how it ended."""
        with quiet():
            study = open_study(self.out, self.metric)
            study.sampler = sampler(self.space.base.seed, number)
            ranges = self.space.ranges
            trial = study.ask({name: distribution(found) for name, found in ranges.items()})
            name = f"trial {trial.number}"
            place = self.out / TRIALS / place_of(trial)
            trial.set_user_attr("place", place.name)
            try:
                return (
                    f"{name}: {self._finish(study, trial, place, LabelledReporter(name, reporter))}"
                )
            except BaseException:
                trial.set_user_attr("stopped", True)  # by an error or on purpose, but not killed
                raise

    def _finish(
        self, study: optuna.Study, trial: optuna.Trial, place: Path, reporter: Reporter
    ) -> str:
        settings = self.space.settings(values_of(trial.params, self.space.ranges))
        pruning, began = Pruning(trial), time.monotonic()
        value: float | None = None
        state, reason = TrialState.COMPLETE, ""
        try:
            if place.exists():
                run = finished(place)
                pruning.finish(run)
            else:
                track = [pruning, *trackers_of(self.track, f"trial-{trial.number}")]
                log = open_log_once(self.data)
                run = train(log, settings, place, reporter=reporter, track=track)
            value = best_value(run, self.metric)
        except RunFailedError as error:
            pruned = isinstance(error, RunStoppedError)
            state, reason = TrialState.PRUNED if pruned else TrialState.FAIL, str(error)
            trial.set_user_attr("reason", reason)
        trial.set_user_attr("seconds", round(time.monotonic() - began, 3))
        trial.set_user_attr("epochs", pruning.epochs)
        study.tell(trial, value, state=state)
        shutil.rmtree(place, ignore_errors=True)
        if state == TrialState.COMPLETE:
            return f"{self.metric} {value:.6f}"
        return reason if state == TrialState.PRUNED else f"left out: {reason}"


def run_trials(
    search: Search, numbers: range, workers: int, deadline: float | None, reporter: Reporter
) -> Iterator[None]:
    """Run a trial for each of `numbers`; after `deadline`, by the monotonic clock, none begins."""
    if workers <= 1 or len(numbers) <= 1:
        for number in numbers:
            if _over(deadline):
                return
            reporter.line(search.run(number, reporter))
            yield
        return
    left = list(numbers)
    with worker_pool(workers, reporter, "tune") as pool:
        waiting: set[Future[None]] = set()
        while True:
            # No more than there are workers: a deadline stops those that have not begun.
            while left and len(waiting) < workers and not _over(deadline):
                waiting.add(pool.submit(_run_in_worker, search, left.pop(0)))
            if not waiting:
                return
            for future in pool.ended(waiting):
                waiting.remove(future)
                future.result()
                yield


def _over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _run_in_worker(search: Search, number: int, messages: Any, stop: Any) -> None:
    if not stop.is_set():
        reporter = ForwardingReporter("", messages, stop)
        reporter.line(search.run(number, reporter))
