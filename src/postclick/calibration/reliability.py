"""What a calibrator does: reliability, PCOC and NLL of clicked rows, and true bias if known."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from postclick.calibration.calibrator import Calibrator
from postclick.data.manifest import POTENTIAL, TRUE_CVR
from postclick.errors import InputError
from postclick.judging.labels import SplitLabels
from postclick.logits import sigmoid
from postclick.metrics.buckets import by_bucket, calibration_error
from postclick.metrics.likelihood import cross_entropy
from postclick.metrics.metric import Space
from postclick.stats.interval import tail

BINS, LEVEL = 10, 0.95


@dataclass(frozen=True)
class ReliabilityBin:
    """Clicked rows of about equal pCVR.

    Attributes:
        rows: how many.
        predicted, observed: mean pCVR, and conversions per row; weighted, if rows have weights.
        low, high: Wilson interval of the rate behind `observed`, from as many rows of equal weight
            as tell as much.

    >>> ReliabilityBin(100, 0.1, 0.12, 0.07, 0.198).rows
    100
    """

    rows: int
    predicted: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True)
class TruthFigures:
    """Against known truth on one space: mean pCVR - mean truth, and cross-entropy in nats.

    >>> TruthFigures(10, -0.01, 0.3).cvr_bias
    -0.01
    """

    rows: int
    cvr_bias: float
    true_cvr_nll: float


@dataclass(frozen=True)
class JudgedCalibrator:
    """Figures of one calibrator on one split; `None` where there are no clicks or conversions.

    Attributes:
        pcoc, nll, ece: on clicked rows against recorded conversions.
        reliability: bins of equal numbers of clicked rows, by pCVR.
        truth: by space; empty where no truth is known.

    >>> JudgedCalibrator(0, None, None, None, (), {}).truth
    {}
    """

    clicks: int
    pcoc: float | None
    nll: float | None
    ece: float | None
    reliability: tuple[ReliabilityBin, ...]
    truth: Mapping[Space, TruthFigures]


def wilson(positives: float, rows: float, level: float = LEVEL) -> tuple[float, float]:
    """The Wilson score interval of a rate; it stays within [0, 1] and is never of width 0.

    Raises `InputError` without rows, or with more positives than rows.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    >>> [round(end, 4) for end in wilson(3, 10)]
    [0.1078, 0.6032]
    """
    if not 0 <= positives <= rows or not rows:
        raise InputError(f"{positives:g} of {rows:g} rows is no rate; give positives among rows")
    z2 = float(norm.isf(tail(level))) ** 2
    rate, whole = positives / rows, rows + z2
    middle = (positives + z2 / 2) / whole
    half = float(np.sqrt(z2 * (rows * rate * (1 - rate) + z2 / 4))) / whole
    return max(0.0, middle - half), min(1.0, middle + half)


def reliability(
    pcvr: ArrayLike,
    conversion: ArrayLike,
    bins: int = BINS,
    *,
    weight: NDArray[np.floating] | None = None,
) -> tuple[ReliabilityBin, ...]:
    """Predicted against observed in bins of equal numbers of rows, lowest pCVR first.

    Rows of equal pCVR share a bin, so there may be fewer. Rows of weight 0 are left out. Shapes
    `(n,)`, clicked rows only: pCVR in [0, 1] and 0/1. Raises `InputError` for other values.

    >>> found = reliability([0.1, 0.1, 0.4, 0.4], [0, 0, 1, 0], bins=2)
    >>> [(one.rows, one.predicted, one.observed) for one in found]
    [(2, 0.1, 0.0), (2, 0.4, 0.5)]
    """
    found = by_bucket(pcvr, pcvr, conversion, bins, weight=weight)
    if weight is None:
        worth = [float(b.rows) for b in found]
    else:
        p, squares = np.asarray(pcvr), np.square(weight, dtype=np.float64)
        inside = ((weight > 0) & (p >= b.low) & (p <= b.high) for b in found)
        worth = [
            (b.weight or 0.0) ** 2 / float(squares[rows].sum())
            for b, rows in zip(found, inside, strict=True)
        ]
    return tuple(
        ReliabilityBin(b.rows, b.predicted, b.observed, *wilson(min(b.observed, 1.0) * n, n))
        for b, n in zip(found, worth, strict=True)
    )


def judge_calibrator(
    calibrator: Calibrator, cvr_logit: NDArray[np.floating], labels: SplitLabels
) -> JudgedCalibrator:
    """Judge calibrated predictions for every row of a split, or for its clicked rows alone.

    Rows count by their weights, if they have some; `clicks` and `rows` are counts all the same.

    Shape: `cvr_logit` `(n,)` in the order of `labels`. The truth is `true_cvr` where there is one,
    else `potential_conversion`; rows without it are left out of its figures.

    Raises:
        InputError: lengths differ.

    >>> labels = SplitLabels(np.array([True, True]), np.array([True, False]), {})
    >>> judge_calibrator(Calibrator("none"), np.array([0.0, 0.0]), labels).pcoc
    1.0
    """
    if cvr_logit.shape != labels.click.shape:
        raise InputError(
            f"{cvr_logit.size:,} logits for {labels.click.size:,} rows: give one for each row"
        )
    z = calibrator.apply(cvr_logit)
    q, c = sigmoid(z), labels.click
    v = labels.conversion[c]
    w = None if labels.weight is None else labels.weight[c].astype(np.float64)
    clicks = int(c.sum())
    conversions = int(v.sum()) if w is None else float(w[v].sum())
    known = bool(clicks) if w is None else bool(w.any())
    return JudgedCalibrator(
        clicks,
        (float((q[c] if w is None else w * q[c]).sum()) / conversions) if conversions else None,
        _mean(cross_entropy(z[c], v), w) if known else None,
        calibration_error(by_bucket(q[c], q[c], v, BINS, weight=w)) if known else None,
        reliability(q[c], v, weight=w),
        _against_truth(z, q, labels),
    )


def _mean(values: NDArray[np.floating], weight: NDArray[np.float64] | None) -> float:
    if weight is None:
        return float(values.mean(dtype=np.float64))
    return float(np.average(values.astype(np.float64), weights=weight))


def _against_truth(
    z: NDArray[np.float64], q: NDArray[np.float64], labels: SplitLabels
) -> dict[Space, TruthFigures]:
    truth = next((labels.truth[k] for k in (TRUE_CVR, POTENTIAL) if k in labels.truth), None)
    if truth is None:
        return {}
    known = ~np.isnan(truth)
    spaces: dict[Space, NDArray[np.bool_]] = {
        "clicked": known & labels.click,
        "unclicked": known & ~labels.click,
        "entire": known,
    }
    weights = labels.weight
    found: dict[Space, TruthFigures] = {}
    for space, rows in spaces.items():
        w = None if weights is None else weights[rows].astype(np.float64)
        if rows.any() if w is None else w.any():
            bias = _mean(q[rows], w) - _mean(truth[rows], w)
            nll = _mean(cross_entropy(z[rows], truth[rows]), w)
            found[space] = TruthFigures(int(rows.sum()), bias, nll)
    return found
