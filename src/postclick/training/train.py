"""`train`: a method on a prepared log, into a run folder."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError, RunFailedError
from postclick.methods import find_method
from postclick.methods.base import Method
from postclick.methods.fitted import FittedMethod
from postclick.optim.compiled_adam import load_machine_code
from postclick.progress import Reporter, Silent
from postclick.runs.build import build_method
from postclick.runs.folder import (
    CHECKPOINT,
    MODEL,
    RUN_INFO,
    has_progress,
    lock_of,
    open_partial,
    partial_folder,
    remove_progress,
)
from postclick.runs.history import HISTORY, History
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings
from postclick.runs.tensor_file import write_tensors
from postclick.spelling import option
from postclick.system.files import locked
from postclick.system.process import training_process
from postclick.tracking.destination import Track, trackers_of
from postclick.tracking.tracker import Watch
from postclick.training.fit_method import fit_method
from postclick.training.loop import TrainingLoop
from postclick.training.precision import settled_precision
from postclick.training.speed_warnings import warn_of_speed
from postclick.training.student import build_student


def train(
    data: PreparedLog | str | Path,
    method: str | type[Method[Any]] | RunSettings,
    out: str | Path,
    *,
    seed: int = 0,
    reporter: Reporter | None = None,
    track: Sequence[Track] = (),
) -> Run:
    """Train a method on a prepared log and write a run folder.

    An unfinished run of the same settings and data in `<out>.partial` is resumed from its last
    checkpoint. The test split is never touched.

    Args:
        data: a prepared log or its folder.
        method: a method's name, place (`package.module:Class`) or class, or complete settings,
            which bring their own seed.
        out: the run folder; must not exist.
        seed: the same seed gives the same weights; only used beside a method's name.
        track: where to track it, e.g. `["mlflow", "tensorboard:events"]`, or `Tracker`s; one that
            fails is told and left out.

    Raises:
        InputError: `out` exists, settings are wrong, or the loss diverged.
    """
    log = data if isinstance(data, PreparedLog) else PreparedLog(data)
    settings = method if isinstance(method, RunSettings) else RunSettings.make(method, seed=seed)
    training = settings.training.for_rows(log.split("train").rows)
    settings = settings.model_copy(update={"training": training})
    out, reporter = Path(out), reporter or Silent()
    watch = Watch(trackers_of(track, out.name), reporter)
    if "valid" not in log.manifest.splits:
        raise InputError(
            f"{log.folder} has no validation split, by which epochs are judged: prepare it with "
            f"{option('valid')} or a {option('valid_fraction')} above 0"
        )
    if log.split("train").conversions == 0:
        raise InputError(f"{log.folder}: no conversion in the training split, nothing to learn")
    known, _ = find_method(settings.method)
    if issubclass(known, FittedMethod):
        known.require_installed()
    with _claimed(out), training_process(settings.training.threads):
        # First whatever can refuse the settings: no folder is left behind by a mistake.
        device = _device(settings.training.device)
        if settings.teacher is None:
            net = build_method(settings, log).to(device)
        else:
            net = build_student(settings, settings.teacher, log, device)
        net.require_a_loss(log.inputs.empty_batch().to(device))
        partial = partial_folder(out)
        open_partial(partial, settings, log, reporter)
        history = History(partial / HISTORY)
        warn_of_speed(settings.training.threads, reporter)
        if settings.training.device == "cpu" and not isinstance(net, FittedMethod):
            load_machine_code()

        def note(record: dict[str, Any]) -> None:
            history.add(record, reporter)
            watch.epoch(record)

        with _removed_if_failed(partial, watch):
            if isinstance(net, FittedMethod):
                history.cut(0)
                watch.start(settings, log, partial)
                fit_method(net, log, settings, partial, reporter, note, train)
            else:
                _descend(net, log, settings, partial, history, watch, note, reporter)
        write_tensors(partial / MODEL, net.state_dict())
        partial.rename(out)
        # Last: a kill before it costs disk space, a kill after an earlier removal all epochs.
        remove_progress(out)
        run = Run(out)
        watch.finish(run)
    return run


def _descend(
    net: Method[Any],
    log: PreparedLog,
    settings: RunSettings,
    partial: Path,
    history: History,
    watch: Watch,
    note: Callable[[dict[str, Any]], None],
    reporter: Reporter,
) -> None:
    """Train by batches, from the checkpoint if there is one."""
    loop = TrainingLoop(
        net, log, settings.training, settings.seed, partial / CHECKPOINT, reporter, note
    )
    loop.precision = settled_precision(
        settings.training.precision,
        net,
        loop.first_batch,
        loop.phase.steps[0],
        partial / RUN_INFO,
        reporter,
    )
    history.cut(loop.position.epoch)
    watch.start(settings, log, partial)
    loop.run()


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"training.device={name} cannot be used here: {first}") from None
    return device


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Be the only one who writes the run `out`."""
    if not out.name:
        raise InputError(f"{out} exists: name another {option('out')}")
    with locked(lock_of(out), out):
        if out.exists():
            raise InputError(f"{out} exists: name another {option('out')}, or remove it")
        yield


@contextmanager
def _removed_if_failed(partial: Path, watch: Watch) -> Iterator[None]:
    """A run that cannot go on must not be found and resumed; after other errors it stays."""
    try:
        yield
    except InputError as error:
        if isinstance(error, RunFailedError):
            watch.fail(error)
        if isinstance(error, RunFailedError) or not has_progress(partial):
            shutil.rmtree(partial, ignore_errors=True)
        raise
