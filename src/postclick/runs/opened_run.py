"""`OpenedRun`: the folder of a finished run, read: its settings, histories, figures and model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from postclick.calibration.calibration_file import read_calibration
from postclick.calibration.calibrator import Calibrator
from postclick.data.manifest import Manifest
from postclick.data.prepared import PreparedLog
from postclick.data.schema import first_message
from postclick.errors import InputError
from postclick.judging.predictions import read_predictions
from postclick.methods import find_method
from postclick.methods.base import Method
from postclick.methods.explanation import AnyExplanation, read_explanation
from postclick.nn.backbones import find_backbone
from postclick.nn.shared_settings import AUTO
from postclick.runs.build import build_method
from postclick.runs.folder import (
    CONFIG,
    EXPLANATION,
    LOG_METRICS,
    METRICS,
    MODEL,
    PREDICTIONS,
    RUN_INFO,
    partial_folder,
)
from postclick.runs.history import HISTORY, History
from postclick.runs.settings import RunSettings, load_config
from postclick.runs.tensor_file import check_tensors
from postclick.spelling import option, typed
from postclick.system.files import read_json


class OpenedRun:
    """A finished run in `folder`: what it was trained with, and what it has written since.

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

    def explain(self) -> AnyExplanation:
        """What the method says of itself: which fields carry clicks and conversions, and how the
        two hang together; or what the members of a mean count.

        Raises:
            InputError: the method says nothing of the kind.
        """
        path = self.folder / EXPLANATION
        if not path.exists():
            raise InputError(
                f"{self.folder}: the method {self.settings.method} has found no coefficients or "
                "weights to be read; train click_prior or mean_of/stacked on the same log"
            )
        try:
            return read_explanation(read_json(path))
        except (TypeError, KeyError) as error:
            raise InputError(f"{path} is damaged ({error}): train again") from None

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
