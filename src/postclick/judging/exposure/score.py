"""Residuals of a model by exposure level: efficient scores, and their variance over units.

The model's pCVR is first recalibrated on the very rows, so that neither a wrong level nor a wrong
spread of its logits is taken for an effect of the exposure; with the pCTR of a model that does not
read the exposure, nor is an error that goes with how clickable an impression is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from postclick.logits import sigmoid

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Logits beyond this are held: a pCVR of exactly 0 or 1 has none.
LARGEST_LOGIT = 15.0
ITERATIONS, HALVINGS = 50, 30
# Units whose scores are held at a time, in numbers.
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Scores:
    """Efficient scores of the effects of k levels on the conversion logit, at no effect.

    Attributes:
        total: shape (k,), the sum of the scores; its own sum is 0.
        variance: shape (k, k), of `total`, robust to dependence within units.
        information: shape (k, k), expected change of `total` per unit of effect.

    >>> Scores(np.zeros(2), np.eye(2), np.eye(2)).total.shape
    (2,)
    """

    total: Floats
    variance: Floats
    information: Floats


def nuisance(pcvr: Floats, pctr: Floats | None = None) -> Floats:
    """What is fitted away, `(n, q)`: 1, the standardized logit of pCVR, its square, that of pCTR.

    Columns that are combinations of those before (all predictions equal, or of two values) are
    left out.

    >>> nuisance(np.array([0.1, 0.1])).shape, nuisance(np.array([0.1, 0.2, 0.4])).shape
    ((2, 1), (3, 3))
    """
    columns = [np.ones(pcvr.size)]
    of_cvr = _standard_logit(pcvr)
    candidates = [of_cvr, of_cvr**2] + ([] if pctr is None else [_standard_logit(pctr)])
    for candidate in candidates:
        basis = np.stack(columns, axis=1)
        left = candidate - basis @ np.linalg.lstsq(basis, candidate, rcond=None)[0]
        spread = float(left.std())
        if spread > 1e-6:
            columns.append(left / spread)
    return np.stack(columns, axis=1)


def _standard_logit(probability: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        logit = np.log(probability) - np.log1p(-probability)
    logit = logit.clip(-LARGEST_LOGIT, LARGEST_LOGIT)
    spread = float(logit.std())
    return np.asarray((logit - logit.mean()) / (spread if spread > 1e-9 else np.inf), np.float64)


def recalibrated(columns: Floats, conversion: Floats, weight: Floats) -> Floats | None:
    """Probabilities `(n,)` of the logistic regression of `conversion` on `columns`.

    By Newton's method with halved steps. None if there is no fit: labels of one kind, conversions
    that can be told from the rest without error, or columns that do not differ where it matters.

    >>> ones = np.ones((4, 1))
    >>> recalibrated(ones, np.array([1.0, 0.0, 0.0, 0.0]), np.ones(4)).round(6)
    array([0.25, 0.25, 0.25, 0.25])
    """
    rate = float(weight @ conversion / weight.sum())
    if not 0.0 < rate < 1.0:
        return None
    coefficients = np.zeros(columns.shape[1])
    coefficients[0] = np.log(rate / (1.0 - rate))
    value = _log_likelihood(columns @ coefficients, conversion, weight)
    for _ in range(ITERATIONS):
        mean = sigmoid(columns @ coefficients)
        gradient = columns.T @ (weight * (conversion - mean))
        curvature = columns.T @ (columns * (weight * mean * (1.0 - mean))[:, None])
        perfect = -value < 1e-6 * float(weight.sum())
        if perfect or float(np.linalg.cond(curvature)) > 1e12:
            return None
        step = np.linalg.solve(curvature, gradient)
        # Half of it is what is still to be gained; a last step then squares the error.
        decrement = float(gradient @ step)
        if decrement < 1e-8:
            return sigmoid(columns @ (coefficients + step))
        for _ in range(HALVINGS):
            reached = _log_likelihood(columns @ (coefficients + step), conversion, weight)
            if reached > value:
                break
            step = step / 2.0
        else:
            # The log-likelihood is at its maximum but for rounding.
            return mean if decrement < 1e-8 * abs(value) else None
        coefficients, value = coefficients + step, reached
    return None


def _log_likelihood(logit: Floats, conversion: Floats, weight: Floats) -> float:
    return float(weight @ (conversion * logit - np.logaddexp(0.0, logit)))


def level_scores(
    columns: Floats, conversion: Floats, level: Ints, k: int, weight: Floats, unit: Ints
) -> Scores | None:
    """Scores of `k` levels from n clicked rows; None if there is no fit on the nuisance columns.

    With mu the recalibrated pCVR, omega = weight * mu (1 - mu), Z the nuisance columns and D the
    dummies of the levels, the efficient score of a row is::

        weight * (D - Z (Z' omega Z)^-1 Z' omega D) * (conversion - mu)

    Their sum does not move with the nuisance coefficients to first order. Its variance is the sum
    over units of the outer product of the unit's sum.

    Columns are left out from the last on as long as there is no fit with them.

    Args:
        columns: shape (n, q), from `nuisance`.
        conversion, weight: shape (n,); weights above 0.
        level: shape (n,), 0 to k - 1.
        unit: shape (n,), 0 to the number of units - 1.

    Source: Boos, "On generalized score tests", The American Statistician, 1992.

    >>> v = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    >>> of = np.array([0, 0, 0, 1, 1, 1])
    >>> level_scores(np.ones((6, 1)), v, of, 2, np.ones(6), np.arange(6)).total
    array([-0.5,  0.5])
    """
    mean = recalibrated(columns, conversion, weight)
    while mean is None and columns.shape[1] > 1:
        columns = columns[:, :-1]
        mean = recalibrated(columns, conversion, weight)
    if mean is None:
        return None
    omega = weight * mean * (1.0 - mean)
    residual = weight * (conversion - mean)
    crossed: Floats = np.stack([np.bincount(level, omega * column, k) for column in columns.T])
    slopes = np.asarray(
        np.linalg.solve(columns.T @ (columns * omega[:, None]), crossed), np.float64
    )
    total: Floats = np.bincount(level, residual, k) - (residual @ columns) @ slopes
    information: Floats = np.diag(np.bincount(level, omega, k)) - crossed.T @ slopes
    return Scores(total, _variance(columns, slopes, residual, level, k, unit), information)


def _variance(
    columns: Floats, slopes: Floats, residual: Floats, level: Ints, k: int, unit: Ints
) -> Floats:
    order = np.argsort(unit, kind="stable")
    units = int(unit.max()) + 1 if unit.size else 0
    starts = np.searchsorted(unit[order], np.arange(0, units, max(1, _CHUNK // k)))
    variance = np.zeros((k, k))
    for rows in np.split(order, starts[1:]):
        if not rows.size:
            continue
        own = unit[rows] - unit[rows[0]]
        many = int(own[-1]) + 1
        own_level = np.bincount(own * k + level[rows], residual[rows], many * k)
        sides = [np.bincount(own, residual[rows] * one[rows], many) for one in columns.T]
        sums = own_level.reshape(many, k) - np.stack(sides, axis=1) @ slopes
        variance += sums.T @ sums
    return variance
