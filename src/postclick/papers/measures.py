"""What the papers measure in a run, each a function from a run to one number."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from postclick.judging.teacher import teacher_logloss
from postclick.metrics.buckets import by_bucket
from postclick.papers.experiment import Measure
from postclick.papers.judged import JudgedRun, Measurement

NO_TRUTH = "the true CVR of this log is not known"


def metric(name: str, space: str) -> Measure:
    """A registered metric, as `compare` measured it."""

    def measure(run: JudgedRun) -> Measurement:
        return run.metrics.get((name, space), Measurement(None, NO_TRUTH))

    return measure


def mean_bias(run: JudgedRun) -> Measurement:
    """Mean pCVR - mean recorded conversion over clicked rows (EVI, Fig. 2, does not define it)."""
    click, cvr = run.labels.click, run.probability("cvr_logit")
    if cvr is None or not click.any():
        return Measurement(None, "no clicked rows")
    return Measurement(float(cvr[click].mean() - run.labels.conversion[click].mean()))


def teacher(against: Literal["recorded_zeros", "true_cvr"]) -> Measure:
    """Logloss of the label that unclicked rows are given in training, over unclicked rows."""

    def measure(run: JudgedRun) -> Measurement:
        frame = run.logits()
        if "teacher_logit" not in frame.columns:
            return Measurement(None, "the method gives unclicked rows no label")
        logit, truth = frame["teacher_logit"].to_numpy(), run.labels.truth
        known = np.ones(len(logit), dtype=bool)
        if against == "true_cvr":
            if "true_cvr" not in truth:
                return Measurement(None, NO_TRUTH)
            known = np.isfinite(truth["true_cvr"])
        found = teacher_logloss(
            logit[known],
            run.labels.click[known],
            truth={name: values[known] for name, values in truth.items() if name == against},
            weight=None if run.labels.weight is None else run.labels.weight[known],
        )
        value: float | None = getattr(found, against)
        return Measurement(value, None if value is not None else "no unclicked rows")

    return measure


def low_pctr_pcoc(share: int) -> Measure:
    """PCOC on the clicked rows with the lowest pCTR, one part of `share` equal ones."""

    def measure(run: JudgedRun) -> Measurement:
        click = run.labels.click
        pctr, pcvr = pctr_and_pcvr(run)
        lowest = by_bucket(pctr[click], pcvr[click], run.labels.conversion[click], share)[:1]
        if not lowest:
            return Measurement(None, "no clicked rows")
        reason = None if lowest[0].pcoc is not None else "no conversion at low pCTR"
        return Measurement(lowest[0].pcoc, reason)

    return measure


def low_pctr_true_ratio(share: int) -> Measure:
    """Mean pCVR / mean true CVR on the impressions with the lowest pCTR."""

    def measure(run: JudgedRun) -> Measurement:
        truth = run.labels.truth.get("true_cvr")
        if truth is None:
            return Measurement(None, NO_TRUTH)
        pctr, pcvr = pctr_and_pcvr(run)
        known = np.isfinite(truth)
        lowest = by_bucket(pctr[known], pcvr[known], truth[known], share)[:1]
        if not lowest or lowest[0].pcoc is None:
            return Measurement(None, "the true CVR is 0 at low pCTR")
        return Measurement(lowest[0].pcoc)

    return measure


def pctr_and_pcvr(run: JudgedRun) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both predictions of a run, which every method makes."""
    found = run.probability("ctr_logit"), run.probability("cvr_logit")
    if found[0] is None or found[1] is None:
        raise ValueError(f"{run.folder}: predictions without ctr_logit or cvr_logit")
    return found[0], found[1]
