"""`RunScorer`: a run, opened to score raw rows with what it holds."""

import math
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
import torch

from postclick.calibration.probabilities import Probabilities, ServingCorrections
from postclick.data.lookup.encoded_rows import EncodedRows
from postclick.data.lookup.raw_rows import RawRows
from postclick.data.lookup.row_arrays import batch_of
from postclick.data.prepared import InputSpec, PreparedLog
from postclick.data.read.tables.in_memory import FrameLike, frame_with
from postclick.data.schema import LogSchema
from postclick.errors import InputError
from postclick.methods.base import Method
from postclick.runs.exposure_at import correct_for_sampling, id_at, predict_at
from postclick.runs.raw_encoder import encoder_of, written_with
from postclick.runs.run import Run
from postclick.spelling import option
from postclick.system.process import training_process


class RunScorer:
    """A run's model for raw rows, encoded as its training rows were: a `Scorer`.

    It scores as the bundle that `export` writes of the run, in torch and to float32 rounding. What
    it holds does not grow with the rows.

    Attributes:
        run: the run.
        encoder: what turns raw rows into the arrays of its model.

    >>> RunScorer("no/run")
    Traceback (most recent call last):
    ...
    postclick.errors.InputError: no/run is not a finished run: name a folder that \
'postclick train' made
    """

    def __init__(
        self,
        run: Run | str | Path,
        *,
        calibrated: bool = True,
        negative_rate: float = 1.0,
        exposure_at: str | int | None = None,
        device: str | None = None,
    ) -> None:
        """Open a run to score.

        Args:
            run: a finished run, or its folder.
            calibrated: apply the calibrator that `calibrate` left in the run, if it did.
            negative_rate: share of unclicked impressions that was left when the log came to
                `prepare`; pCTR is corrected for it. What `prepare` itself left out is known.
            exposure_at: for a log with an exposure, the value at which pCTR is predicted, or
                "average"; by default what the schema says. Rows' own exposures are not read.
            device: where the model computes, by default where it was trained.

        Raises:
            InputError: there is no such run, device or value of the exposure, the rate is none, or
                a file of the run is damaged.
        """
        if not 0 < negative_rate <= 1:
            raise InputError(
                f"{option('negative_rate')} is {negative_rate}: give a share above 0 and at most 1"
            )
        self.run = run if isinstance(run, Run) else Run(run)
        self._negative_rate, self._exposure_at = negative_rate, exposure_at
        if exposure_at is not None:
            id_at(PreparedLog(self.run.folder), exposure_at)
        calibrator = self.run.calibration if calibrated else None
        # With an exposure the method corrects pCTR itself, before it takes the mean.
        shift = math.log(negative_rate) if self.run.manifest.exposure is None else 0.0
        self._corrections = ServingCorrections(
            shift, None if calibrator is None else calibrator.to_json()
        )
        self._schema = self.log_schema
        self.encoder = encoder_of(self.run.folder, self.run.manifest, self._schema)
        self._device = device or self.run.settings.training.device

    def reading(self, decimal: str | None) -> Self:
        """This scorer for text whose decimals are separated so; itself where it reads it already.

        Args:
            decimal: "." or ",", None where the text does not say.
        """
        schema = written_with(self._schema, decimal)
        if schema is self._schema:
            return self
        other = copy(self)
        other._schema = schema
        other.encoder = encoder_of(self.run.folder, self.run.manifest, schema)
        return other

    def predicting_at(self, exposure_at: str | int) -> Self:
        """This scorer with pCTR at a value of the exposure, or at "average".

        Raises:
            InputError: the run was trained without an exposure, or with no such value of it.
        """
        id_at(PreparedLog(self.run.folder), exposure_at)
        other = copy(self)
        other._exposure_at = exposure_at
        other.__dict__.pop("method", None)  # where another value may have been set
        return other

    @property
    def name(self) -> str:
        """What tables call it: the name of its folder."""
        return self.run.folder.resolve().name

    @property
    def log_schema(self) -> LogSchema:
        """The schema of the log that it was trained on."""
        return self.run.manifest.log_schema

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The raw columns that it needs."""
        return tuple(dict.fromkeys(c for names in self.encoder.columns.values() for c in names))

    @cached_property
    def inputs(self) -> InputSpec:
        """The shape of its batches."""
        return PreparedLog(self.run.folder).inputs

    @cached_property
    def method(self) -> Method[Any]:
        """The trained method, in evaluation mode, on its device."""
        loaded, log = self.run.load(), PreparedLog(self.run.folder)
        if self._exposure_at is not None:
            predict_at(loaded, log, self._exposure_at)
        if loaded.exposure is not None:
            correct_for_sampling(loaded, log, self._negative_rate)
        try:
            return loaded.to(torch.device(self._device))
        except (RuntimeError, AssertionError) as error:
            first = str(error).partition("\n")[0]
            raise InputError(
                f"{self.run.folder} cannot be computed on {self._device} here ({first}): "
                f"give {option('device', 'cpu')}"
            ) from None

    def encode(self, frame: FrameLike) -> EncodedRows:
        """Raw rows as arrays.

        Raises:
            InputError: a column is missing or of the wrong type.
        """
        return self.encoder.encode(RawRows(frame_with(frame, self.features)))

    def score(self, frame: FrameLike) -> pl.DataFrame:
        """Score raw rows: float32 `pctr`, `pcvr` and `pctcvr` for each, in order.

        Args:
            frame: the features of the log's schema, in any type that training accepts, as a
                polars, pandas or Arrow table or what has `__arrow_c_stream__`; labels and other
                columns are not read.

        Raises:
            InputError: a column is missing or of the wrong type, or a prediction is not finite.
        """
        whole = frame_with(frame, self.features)
        settings = self.run.settings.training
        pieces = list(whole.iter_slices(settings.eval_batch_size)) or [whole]
        with training_process(settings.threads), torch.inference_mode():
            found = [self._probabilities(piece).frame() for piece in pieces]
        return pl.concat(found, rechunk=True)

    def _probabilities(self, piece: pl.DataFrame) -> Probabilities:
        batch = batch_of(self.encode(piece), self.inputs)
        predicted = self.method.predict(batch.to(next(self.method.parameters()).device))
        logits = [
            logit.float().cpu().numpy()
            for logit in (predicted.ctr, predicted.cvr, predicted.log_ctcvr)
            if logit is not None
        ]
        if not all(np.isfinite(logit).all() for logit in logits):
            raise InputError(
                f"{self.run.folder} predicts NaN or infinity: the training run diverged; lower "
                "training.lr or set training.clip_norm=1"
            )
        return self._corrections.probabilities(*logits)
