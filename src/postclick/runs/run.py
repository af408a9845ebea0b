"""`Run`: a finished run, opened again to look at, to judge and to load."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from postclick.data.check.columns.labels import BadRows
from postclick.data.prepared import PreparedLog
from postclick.data.read.opening import LogLike
from postclick.errors import InputError
from postclick.judging.feature_values import feature_names
from postclick.judging.judge import Judgement, judge, judge_batches
from postclick.judging.predictions import Predictions
from postclick.judging.segments import TOP, SegmentedRows
from postclick.methods.base import Method
from postclick.runs.exposure_at import predict_at
from postclick.runs.folder import (
    LOG_METRICS,
    METRICS,
    PREDICTIONS,
    has_progress,
    lock_of,
    remove_progress,
)
from postclick.runs.opened_run import OpenedRun
from postclick.runs.raw_log import RawLog
from postclick.spelling import option
from postclick.system.files import locked, write_bytes, write_json
from postclick.system.process import training_process


class Run(OpenedRun):
    """A finished run in `folder`, which can be judged.

    Raises:
        InputError: the folder is not a finished run, or it is damaged.
    """

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
