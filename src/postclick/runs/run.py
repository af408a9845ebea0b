"""`Run`: a finished run, opened again to look at, to judge and to load."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import polars as pl
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from postclick.calibration.calibration_file import read_calibration
from postclick.calibration.calibrator import Calibrator
from postclick.data.check.columns.labels import BadRows
from postclick.data.manifest import Manifest
from postclick.data.prepared import PreparedLog
from postclick.data.read.opening import LogLike
from postclick.data.schema import first_message
from postclick.errors import InputError
from postclick.judging.feature_values import feature_names
from postclick.judging.judge import Judgement, judge, judge_batches
from postclick.judging.predictions import Predictions, read_predictions
from postclick.judging.segments import TOP, SegmentedRows
from postclick.methods import find_method
from postclick.methods.base import Method
from postclick.nn.backbones import find_backbone
from postclick.nn.shared_settings import AUTO
from postclick.runs.build import build_method
from postclick.runs.exposure_at import predict_at
from postclick.runs.folder import (
    CONFIG,
    LOG_METRICS,
    METRICS,
    MODEL,
    PREDICTIONS,
    RUN_INFO,
    has_progress,
    lock_of,
    partial_folder,
    remove_progress,
)
from postclick.runs.history import HISTORY, History
from postclick.runs.raw_log import RawLog
from postclick.runs.settings import RunSettings, load_config
from postclick.runs.tensor_file import check_tensors
from postclick.spelling import option, typed
from postclick.system.files import locked, read_json, write_bytes, write_json
from postclick.system.process import training_process


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
        self._info = read_json(self.folder / RUN_INFO)
        if not isinstance(self._info, dict) or "data_fingerprint" not in self._info:
            raise InputError(f"{self.folder / RUN_INFO} is damaged: train again")
        self.fingerprint: str = self._info["data_fingerprint"]
        with self._told_where_from("backbone"):
            self.settings = _settings(self.folder / CONFIG)
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

    @property
    def log_metrics(self) -> dict[str, Any]:
        """What `evaluate` found on raw logs, by the name that it was given, or that of the log."""
        path = self.folder / LOG_METRICS
        found: dict[str, Any] = read_json(path) if path.exists() else {}
        return found

    @property
    def method(self) -> type[Method[Any]]:
        """The class of the method.

        Raises:
            InputError: it cannot be imported, or nobody asked for its package (`registry`).
        """
        with self._told_where_from("method"):
            return find_method(self.settings.method)[0]

    @contextmanager
    def _told_where_from(self, what: str) -> Iterator[None]:
        """What cannot be found here is told with the package that had it when the run was made."""
        try:
            yield
        except InputError as error:
            if str(self.folder) in str(error):
                raise  # the folder itself is damaged
            origin = self._info.get(what)
            known = isinstance(origin, dict) and origin.get("package")
            made = f" (it is {origin['class']} of {origin['package']})" if known else ""
            raise InputError(f"{self.folder}: {error}{made}") from None

    def load(self) -> Method[Any]:
        """The trained method, in evaluation mode, on the CPU."""
        log = PreparedLog(self.folder)
        _ = self.method  # first, since it says what to install
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
                "fingerprints differ): ids would mean other things; use the same prepared log, or "
                f"give the raw one as {option('log')}{' RAW' if typed() else ''}"
            )

    def predictions(self, split: str = "test") -> pl.DataFrame:
        """Kept logits of a split, one row per impression, in the order of the split.

        Columns as in `postclick.judging.predictions.COLUMNS`, float32.

        Raises:
            InputError: `evaluate` was not asked to keep predictions of that split.
        """
        return read_predictions(self.folder / PREDICTIONS / f"{split}.parquet")

    def evaluate(
        self,
        log: PreparedLog | LogLike,
        split: str = "test",
        *,
        keep_predictions: bool = False,
        by: str | Sequence[str] = (),
        top: int = TOP,
        read: Sequence[str] = (),
        on_bad_rows: BadRows = "error",
        name: str | None = None,
        exposure_at: str | int | None = None,
    ) -> Judgement:
        """Judge on a split and add the result to metrics.json; logits of each row if asked to.

        A raw log is judged as a whole: encoded with what the run holds, chunk by chunk. Its result
        is added to log_metrics.json, by `name`.

        Args:
            log: the prepared log of the run, or any raw log with labels, as `open_log` takes it.
            split: of the prepared log.
            keep_predictions: write the logits of a prepared log's split.
            by: features (or one text, separated by commas), for each of whose values everything
                is measured as well.
            top: how many values of a categorical one are shown, by rows; the rest is one segment.
            read: how text files of a raw log are written, `KEY=VALUE` each, in place of what the
                schema says.
            on_bad_rows: what to do with rows of a raw log whose labels are wrong, as in `prepare`.
            name: of a raw log in log_metrics.json, by default the log's own.
            exposure_at: judge pCTR at this value of the log's exposure, or at "average", as it is
                served; by default it is that at each row's own exposure.

        Raises:
            InputError: a prepared `log` was made with other vocabularies or scaling, or a feature
                is not one of its, or has several values for each impression, or the exposure has
                no such value; a raw one lacks a column, that of the exposure included unless
                `exposure_at` is given, or holds what `prepare` would refuse.
        """
        if not isinstance(log, PreparedLog):
            if split != "test" or keep_predictions:
                raise InputError(
                    f"a raw log has no splits, and no predictions of it are kept: leave "
                    f"{option('split')} and {option('keep_predictions')} out"
                )
            raw = RawLog(
                self.folder,
                self.manifest,
                log,
                read=read,
                on_bad_rows=on_bad_rows,
                by=feature_names(by),
                exposure=exposure_at is None,
            )
            if exposure_at is None:
                raw.require_exposure()
            return self._evaluate_raw(raw, name or raw.name, top, exposure_at)
        if read or name is not None or on_bad_rows != "error":
            of_raw = ", ".join(map(option, ("read", "on_bad_rows", "name")))
            raise InputError(f"{of_raw} are for raw logs: leave them out with a prepared one")
        self.require(log)
        log.split(split)
        settings = self.settings.training
        with training_process(settings.threads):
            method = self._loaded_at(exposure_at)
            keep = Predictions() if keep_predictions else None
            judgement = judge(
                method,
                log,
                split,
                batch_size=settings.eval_batch_size,
                keep=keep,
                by=feature_names(by),
                top=top,
            )
        judgement = _judged_at(judgement, exposure_at)
        if keep is not None:
            (self.folder / PREDICTIONS).mkdir(exist_ok=True)
            write_bytes(self.folder / PREDICTIONS / f"{split}.parquet", keep.to_parquet())
        write_json(self.folder / METRICS, {**self.metrics, split: judgement.as_dict()})
        return judgement

    def _loaded_at(self, exposure_at: str | int | None) -> Method[Any]:
        """The method on the device of training, perhaps for one exposure."""
        method = self.load().to(self.settings.training.device)
        if exposure_at is not None:
            predict_at(method, PreparedLog(self.folder), exposure_at)
        return method

    def _evaluate_raw(
        self, log: RawLog, name: str, top: int, exposure_at: str | int | None
    ) -> Judgement:
        settings = self.settings.training
        with training_process(settings.threads):
            judgement = judge_batches(
                self._loaded_at(exposure_at),
                log.sequential(settings.eval_batch_size),
                log.name,
                cut=SegmentedRows(log.by, top) if log.by else None,
            )
        judgement = replace(judgement, about={"log": log.name, **asdict(log.counts)})
        judgement = _judged_at(judgement, exposure_at)
        write_json(self.folder / LOG_METRICS, {**self.log_metrics, name: judgement.as_dict()})
        return judgement


def _judged_at(judgement: Judgement, exposure_at: str | int | None) -> Judgement:
    return replace(judgement, exposure_at=None if exposure_at is None else str(exposure_at))


def finished(out: Path) -> Run:
    """A run that is there, without what a process that was killed at its very end left of it."""
    lock = lock_of(out)
    if lock.exists() or has_progress(out):
        # It is refused where another process is at its own end with it.
        with suppress(InputError), locked(lock, out):
            remove_progress(out)
    return Run(out)


def _settings(path: Path) -> RunSettings:
    """The settings that a run wrote."""
    data = load_config(path)
    network = data.get("network")
    backbone = network.get("backbone") if isinstance(network, dict) else None
    if isinstance(backbone, str) and backbone != AUTO:
        find_backbone(backbone)  # one that is not here is no damage
    try:
        return RunSettings.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{path} is damaged: {first_message(error)}: train again") from None
