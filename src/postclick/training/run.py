"""A run: training into a folder, and opening that folder again."""

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from postclick.calibration.calibrator import Calibrator
from postclick.calibration.document import read_calibration
from postclick.data.manifest import Manifest
from postclick.data.prepared import PreparedLog
from postclick.data.schema import first_message
from postclick.errors import InputError, RunFailedError
from postclick.evaluation.judge import Judgement, judge
from postclick.evaluation.predictions import Predictions, read_predictions
from postclick.files import locked, read_json, write_bytes, write_json
from postclick.methods import find_method
from postclick.methods.base import Method
from postclick.progress import Reporter, Silent
from postclick.tracking.destination import Track, trackers_of
from postclick.tracking.tracker import Watch
from postclick.training.compiled_adam import load_machine_code
from postclick.training.folder import CONFIG, RUN_INFO, open_partial, partial_folder
from postclick.training.history import HISTORY, History
from postclick.training.loop import TrainingLoop
from postclick.training.numerics import training_process, warn_of_speed
from postclick.training.precision import settled_precision
from postclick.training.settings import RunSettings, load_config
from postclick.training.tensors import check_tensors, write_tensors

MODEL, CHECKPOINT = "model.safetensors", "checkpoint.safetensors"
METRICS, PREDICTIONS = "metrics.json", "predictions"


def build_method(settings: RunSettings, log: PreparedLog) -> Method[Any]:
    """A method with fresh weights, the same for the same seed."""
    torch.manual_seed(settings.seed)
    known, _ = find_method(settings.method)
    dim = settings.network.embedding_dim or log.manifest.log_schema.embedding_dim
    method = known(settings.method_config, settings.network, log.inputs, log.base_rates, dim)
    method.ctr_shift = math.log(log.manifest.negative_rate)
    return method


class Run:
    """A finished run in `folder`.

    Raises:
        InputError: the folder is not a finished run, or it is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not (self.folder / MODEL).is_file():
            partial = partial_folder(self.folder)
            hint = (
                " (unfinished: run 'postclick train' again to resume)" if partial.exists() else ""
            )
            raise InputError(
                f"{self.folder} is not a finished run{hint}: name a folder that "
                "'postclick train' made"
            )
        self.settings = _settings(self.folder / CONFIG)
        info = read_json(self.folder / RUN_INFO)
        if not isinstance(info, dict) or "data_fingerprint" not in info:
            raise InputError(f"{self.folder / RUN_INFO} is damaged: train again")
        self.fingerprint: str = info["data_fingerprint"]
        self.manifest = Manifest.read(self.folder)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record per epoch."""
        return History(self.folder / HISTORY).records()

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics by split, as `evaluate` wrote them."""
        path = self.folder / METRICS
        found: dict[str, Any] = read_json(path) if path.exists() else {}
        return found

    def load(self) -> Method[Any]:
        """The trained method, in evaluation mode, on the CPU."""
        log = PreparedLog(self.folder)
        with torch.device("meta"):  # no memory and no random numbers for what is replaced
            method = build_method(self.settings, log)
        path = self.folder / MODEL
        try:
            check_tensors(path)
            method.load_state_dict(load_file(path), assign=True)
        except (OSError, ValueError, LookupError, SafetensorError, RuntimeError) as error:
            raise InputError(f"{path} is damaged ({error}): train again") from None
        return method.eval()

    @property
    def calibration(self) -> Calibrator | None:
        """The calibrator of pCVR that `postclick calibrate` fitted; `None` if it did not.

        Raises:
            InputError: calibration.json is damaged, or was fitted on another log.
        """
        found = read_calibration(self.folder, self.fingerprint)
        return None if found is None else found.map

    def require(self, log: PreparedLog) -> None:
        """Raise `InputError` unless `log` is the one that the run was trained on."""
        if log.fingerprint != self.fingerprint:
            raise InputError(
                f"{log.folder} is not the log that {self.folder} was trained on (their "
                "fingerprints differ): ids would mean other things; use the same prepared log"
            )

    def predictions(self, split: str = "test") -> pl.DataFrame:
        """Kept logits of a split, one row per impression, in the order of the split.

        Columns as in `postclick.evaluation.predictions.COLUMNS`, float32.

        Raises:
            InputError: `evaluate` was not asked to keep predictions of that split.
        """
        return read_predictions(self.folder / PREDICTIONS / f"{split}.parquet")

    def evaluate(
        self, log: PreparedLog, split: str = "test", *, keep_predictions: bool = False
    ) -> Judgement:
        """Judge on a split and add the result to metrics.json; logits of each row if asked to.

        Raises:
            InputError: `log` was prepared with other vocabularies or scaling.
        """
        self.require(log)
        log.split(split)
        settings = self.settings.training
        with training_process(settings.threads):
            method = self.load().to(settings.device)
            keep = Predictions() if keep_predictions else None
            judgement = judge(method, log, split, batch_size=settings.eval_batch_size, keep=keep)
        if keep is not None:
            (self.folder / PREDICTIONS).mkdir(exist_ok=True)
            write_bytes(self.folder / PREDICTIONS / f"{split}.parquet", keep.to_parquet())
        entry: dict[str, Any] = {"metrics": [asdict(m) for m in judgement.metrics]}
        if judgement.propensity is not None:
            entry["propensity"] = {
                "click_over_pi": judgement.propensity.click_over_pi,
                "unclick_over_rest": judgement.propensity.unclick_over_rest,
            }
        write_json(self.folder / METRICS, {**self.metrics, split: entry})
        return judgement


def evaluate(
    run: Run | str | Path, data: PreparedLog | str | Path, split: str = "test"
) -> Judgement:
    """Judge a finished run on a split of the log that it was trained on.

    Raises:
        InputError: there is no such run or split, or the log is another one.
    """
    trained = run if isinstance(run, Run) else Run(run)
    return trained.evaluate(data if isinstance(data, PreparedLog) else PreparedLog(data), split)


def train(
    data: PreparedLog | str | Path,
    method: str | RunSettings,
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
        method: a method's name, or complete settings, which bring their own seed.
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
            "--valid or a --valid-fraction above 0"
        )
    if log.split("train").conversions == 0:
        raise InputError(f"{log.folder}: no conversion in the training split, nothing to learn")
    with _claimed(out), training_process(settings.training.threads):
        # First whatever can refuse the settings: no folder is left behind by a mistake.
        net = build_method(settings, log).to(_device(settings.training.device))
        partial = partial_folder(out)
        open_partial(partial, settings, log, reporter)
        history = History(partial / HISTORY)
        warn_of_speed(settings.training.threads, reporter)
        if settings.training.device == "cpu":
            load_machine_code()

        def note(record: dict[str, Any]) -> None:
            history.add(record, reporter)
            watch.epoch(record)

        with _removed_if_failed(partial, watch):
            loop = TrainingLoop(
                net,
                log,
                settings.training,
                settings.seed,
                partial / CHECKPOINT,
                reporter,
                note,
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
        write_tensors(partial / MODEL, net.state_dict())
        partial.rename(out)
        # Last: a kill before it costs disk space, a kill after an earlier removal all epochs.
        (out / CHECKPOINT).unlink(missing_ok=True)
        run = Run(out)
        watch.finish(run)
    return run


def finished(out: Path) -> Run:
    """A run that is there, without what a process that was killed at its very end left of it."""
    lock = _lock_of(out)
    if lock.exists() or (out / CHECKPOINT).exists():
        # It is refused where another process is at its own end with it.
        with suppress(InputError), locked(lock, out):
            (out / CHECKPOINT).unlink(missing_ok=True)
    return Run(out)


def _lock_of(out: Path) -> Path:
    return out.with_name(out.name + ".lock")


def _settings(path: Path) -> RunSettings:
    """The settings that a run wrote."""
    try:
        return RunSettings.model_validate(load_config(path))
    except ValidationError as error:
        raise InputError(f"{path} is damaged: {first_message(error)}: train again") from None


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
        raise InputError(f"{out} exists: name another --out")
    with locked(_lock_of(out), out):
        if out.exists():
            raise InputError(f"{out} exists: name another --out, or remove it")
        yield


@contextmanager
def _removed_if_failed(partial: Path, watch: Watch) -> Iterator[None]:
    """A run that cannot go on must not be found and resumed; after other errors it stays."""
    try:
        yield
    except InputError as error:
        if isinstance(error, RunFailedError):
            watch.fail(error)
        if isinstance(error, RunFailedError) or not (partial / CHECKPOINT).exists():
            shutil.rmtree(partial, ignore_errors=True)
        raise
