"""`calibrate`: fit a calibrator to a finished run on clicks it has not seen, and keep it there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from postclick.calibration.calibration_file import (
    FORMAT,
    OF_RAW_LOG,
    Calibration,
    CrossFitted,
    Figures,
    FittedOn,
    Weights,
)
from postclick.calibration.calibrator import KINDS, Calibrator, Kind
from postclick.calibration.fit import FOLDS, cross_fitted, fit, propensity_weights, require_enough
from postclick.calibration.reliability import JudgedCalibrator, judge_calibrator
from postclick.data.check.columns.labels import BadRows
from postclick.data.prepared import PreparedLog
from postclick.data.read.opening import LogLike
from postclick.errors import InputError
from postclick.judging.labels import split_labels
from postclick.logits import sigmoid
from postclick.methods.base import CLIP_RANGE, Clip
from postclick.metrics.likelihood import cross_entropy
from postclick.metrics.propensity import effective_sample_size
from postclick.runs.clicked import Clicked, clicked_logits, cvr_logits, judged_rows
from postclick.runs.raw_log import RawLog
from postclick.runs.run import Run
from postclick.spelling import option
from postclick.suggest import meant

Choice = Literal["isotonic", "platt", "temperature", "none", "best"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibrated:
    """What `calibrate` did.

    Attributes:
        calibrator: as written to calibration.json.
        document: all that is in that file.
        before, after: on the split or the raw log that was to be judged, if one was.
    """

    calibrator: Calibrator
    document: Calibration
    before: JudgedCalibrator | None = None
    after: JudgedCalibrator | None = None


def calibrate(
    run: Run | str | Path,
    data: PreparedLog | str | Path | None = None,
    kind: Choice = "best",
    *,
    weights: Weights = "none",
    clip: Clip | None = None,
    judge: str | None = None,
    log: LogLike | None = None,
    judge_log: LogLike | None = None,
    read: Sequence[str] = (),
    on_bad_rows: BadRows = "error",
    anyway: bool = False,
) -> Calibrated:
    """Fit a calibrator to recorded conversions of clicked rows; RUN/calibration.json.

    The rows are those of the validation split, or of a raw log that the run was not trained on.

    The run's weights and metrics stay as they are. Figures "after" are cross-fitted: each row is
    calibrated by a fit on other rows; the calibrator that is kept is fitted on all of them.

    Args:
        data: the prepared log of the run.
        kind: `best` takes the simplest kind (in the order of `KINDS`) whose cross-fitted NLL is
            within one standard error of the least, which may be `none`.
        weights: `propensity` weighs a clicked row by 1 / pCTR of the run, so that clicked rows
            stand for all impressions; `none` calibrates for clicked ones. Either way rows count
            by the log's own weights, if it has some.
        clip: range of the pCTR in weights; by default the method's own, or .01 to .99.
        judge: a split of `data` on which to judge, without using it for anything else.
        log: a raw log of any day to fit on, instead of `data`. What is later judged on the same
            rows is flattered.
        judge_log: another raw log on which to judge, instead of `judge`.
        read, on_bad_rows: of raw logs, as in `evaluate`.
        anyway: calibrate also a run whose pCVR is meant to be another rate than that on clicks, as
            of `selection`; it is then one of clicked rows, and the correction is undone.

    Raises:
        InputError: there is no such run, kind or split, a log is another one or lacks a column,
            its clicks do not allow a fit, or pCVR is not meant to be right on them.

    >>> calibrate("no/run", "no/data")
    Traceback (most recent call last):
    ...
    postclick.errors.InputError: no/run is not a finished run: name a folder that \
'postclick train' made
    """
    if kind not in get_args(Choice):
        raise InputError(
            f"{option('kind')} is {kind!r}{meant(kind, get_args(Choice))}"
            f": choose {', '.join(get_args(Choice))}"
        )
    if weights not in get_args(Weights):
        raise InputError(
            f"{option('weights')} is {weights!r}{meant(weights, get_args(Weights))}"
            f": choose {' or '.join(get_args(Weights))}"
        )
    if clip is not None and not CLIP_RANGE[0] <= clip[0] < clip[1] <= 1:
        raise InputError(f"clip {clip} is not a range of probabilities, such as (0.01, 0.99)")
    if clip is not None and weights == "none":
        raise InputError(
            "clip is of the pCTR in weights: give " + option("weights", "propensity") + " with it"
        )
    if judge == "valid":
        raise InputError(
            "the calibrator is fitted on valid, and its cross-fitted figures are shown anyway: "
            "name another split to judge on, such as test"
        )
    _require_logs(data, judge, log, judge_log)
    trained = run if isinstance(run, Run) else Run(run)
    if kind != "none" and not anyway:
        _require_right_on_clicks(trained)
    raw, judged_raw = (
        None
        if given is None
        else RawLog(trained.folder, trained.manifest, given, read=read, on_bad_rows=on_bad_rows)
        for given in (log, judge_log)
    )
    if raw is not None and judged_raw is not None:
        _require_another(raw, judged_raw)
    prepared = data if data is None or isinstance(data, PreparedLog) else PreparedLog(data)
    labels = None if judge is None or prepared is None else split_labels(prepared, judge)
    if raw is not None:
        rows = clicked_logits(trained, raw)
        require_enough(rows.conversion, f"give a log of more days with {option('log')}")
        fitted_on: dict[str, Any] = {"log": raw.name, "rows": raw.counts.rows}
    else:
        assert prepared is not None
        rows = clicked_logits(trained, prepared)
        fitted_on = {"split": "valid", "rows": prepared.split("valid").rows}
    clip = clip or rows.clip
    weight = _weight(rows, weights, clip)
    chosen, tried = _chosen(kind, rows, weight)
    after = cross_fitted(chosen, rows.cvr_logit, rows.conversion, weight)
    calibrator = fit(chosen, rows.cvr_logit, rows.conversion, weight)
    own = rows.weight
    weighted = weight if weights == "propensity" else None
    document = Calibration(
        format=FORMAT if raw is None else OF_RAW_LOG,
        calibrator=calibrator.to_json(),
        fitted_on=FittedOn(
            **fitted_on,
            clicks=rows.conversion.size,
            conversions=int(rows.conversion.sum()),
            data_fingerprint=trained.fingerprint,
            weights=weights,
            clip=clip if weights == "propensity" else None,
            effective_sample_size=effective_sample_size(weight),
        ),
        validation=CrossFitted(
            folds=FOLDS,
            before=_figures(rows.cvr_logit, rows.conversion, own, weighted),
            after=_figures(after, rows.conversion, own, weighted),
            tried=tried,
        ),
    )
    document.write(trained.folder)
    calibrator = document.map  # as it will be read: T is kept, of which the slope is the inverse
    if judged_raw is not None:
        found = judged_rows(trained, judged_raw)
        logit, labels = found.cvr_logit, found.labels
    elif judge is not None and prepared is not None:
        logit = cvr_logits(trained, prepared, judge)
    if labels is None:
        return Calibrated(calibrator, document)
    judged = (judge_calibrator(c, logit, labels) for c in (Calibrator("none"), calibrator))
    return Calibrated(calibrator, document, *judged)


def _require_logs(data: object, judge: str | None, log: object, judge_log: object) -> None:
    """Raise `InputError` unless there is one log to fit on, and at most one to judge on."""
    if (data is None) == (log is None):
        raise InputError(
            "give one log to fit on: the prepared one, of which validation clicks are taken, or a "
            f"raw one with {option('log')}"
        )
    if judge is not None and (data is None or judge_log is not None):
        raise InputError(
            f"{option('judge')} is a split of the prepared log: give {option('judge_log')} alone "
            "to judge on a raw one"
        )


def _require_right_on_clicks(run: Run) -> None:
    """Raise `InputError` where a fit on clicked rows would undo what the method is for."""
    if run.settings.differs_on_clicks:
        raise InputError(
            f"{run.folder} predicts the rate if everybody clicked, which is meant to differ from "
            "that on clicks, and a calibrator fitted on clicks would undo it: leave the run as it "
            "is, or calibrate one of naive or click_prior to predict clicked impressions alone; "
            f"{option('anyway', True)} insists"
        )


def _require_another(log: RawLog, judge_log: RawLog) -> None:
    """Raise `InputError` where a raw log would judge what was fitted on it."""
    state = log.source.state()
    same = state is not None and state == judge_log.source.state()
    if same or set(log.source.files) & set(judge_log.source.files):
        raise InputError(
            f"{judge_log.name} is what the calibrator is fitted on, which would flatter it: give "
            f"other rows with {option('judge_log')}"
        )


def _weight(rows: Clicked, weights: Weights, clip: Clip) -> Floats:
    own = np.ones(rows.conversion.size) if rows.weight is None else rows.weight
    if weights == "none":
        return own
    return own * propensity_weights(rows.ctr_logit, clip)


def _chosen(kind: Choice, rows: Clicked, weight: Floats) -> tuple[Kind, dict[str, float] | None]:
    """The kind; if it had to be chosen, what each reached that could be fitted."""
    if kind != "best":
        return kind, None
    require_enough(rows.conversion)
    losses: dict[Kind, Floats] = {}
    for one in KINDS:
        try:
            after = cross_fitted(one, rows.cvr_logit, rows.conversion, weight)
        except InputError:
            continue
        losses[one] = cross_entropy(after, rows.conversion)
    tried = {one: float(np.average(loss, weights=weight)) for one, loss in losses.items()}
    least = losses[min(tried, key=lambda one: tried[one])]
    simplest = next(one for one in losses if _no_worse(losses[one] - least, weight))
    return simplest, {str(one): nll for one, nll in tried.items()}


def _no_worse(difference: Floats, weight: Floats) -> bool:
    """Whether the mean difference per row is within one standard error of 0, or below."""
    mean = float(np.average(difference, weights=weight))
    spread = weight * (difference - mean)
    return mean <= float(np.sqrt(np.square(spread).sum())) / float(weight.sum())


def _figures(z: Floats, v: NDArray[np.bool_], own: Floats | None, weight: Floats | None) -> Figures:
    """Figures by the log's own weights, and those by all weights of the fit."""
    q, nll = sigmoid(z), cross_entropy(z, v)

    def by(weights: Floats) -> tuple[float, float]:
        pcoc = float((weights * q).sum() / weights[v].sum())
        return pcoc, float(np.average(nll, weights=weights))

    plain = (float(q.sum() / v.sum()), float(nll.mean())) if own is None else by(own)
    pcoc, mean = (None, None) if weight is None else by(weight)
    return Figures(pcoc=plain[0], nll=plain[1], weighted_pcoc=pcoc, weighted_nll=mean)
