"""Fitting calibrators to recorded conversions of clicked rows."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from postclick.calibration.calibrator import Calibrator, Kind
from postclick.errors import InputError
from postclick.logits import sigmoid
from postclick.metrics.inputs import as_labels, finite_vector, in_range
from postclick.spelling import option

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
# Conversions, and clicks without one: with fewer a fit is noise.
FEWEST = 10
# A larger slope is a step function.
STEEPEST = 1e3
FOLDS = 5


def propensity_weights(ctr_logit: ArrayLike, clip: tuple[float, float]) -> Floats:
    """1 / clipped pCTR of clicked rows, scaled to a mean of 1; shape `(n,)`.

    With them clicked rows stand for all impressions: what is fitted is meant for the entire space.

    >>> propensity_weights([0.0, np.log(0.25)], (0.01, 0.99)).round(3).tolist()
    [0.571, 1.429]
    """
    weight = 1 / sigmoid(finite_vector("ctr_logit", ctr_logit)).clip(*clip)
    return np.asarray(weight / weight.mean()) if weight.size else weight


def fit(
    kind: Kind, cvr_logit: ArrayLike, conversion: ArrayLike, weight: ArrayLike | None = None
) -> Calibrator:
    """The calibrator of a kind with the least (weighted) cross-entropy on clicked rows.

    `isotonic` has the least among all monotone step functions: its knots are the ends of pooled
    blocks. An outermost block without (or with only) conversions has an infinite logit; it gets
    what half a conversion among one more row would make of it.

    Shapes: `cvr_logit` finite, `conversion` 0/1, `weight` above 0, `(n,)` each, clicked rows only.

    Raises:
        InputError: fewer than `FEWEST` rows with or without a conversion, predictions that are
            all alike, that rank the wrong way round, or that separate conversions perfectly.

    Source: Platt, "Probabilistic outputs for support vector machines", 1999; Zadrozny and Elkan,
    "Transforming classifier scores into accurate multiclass probability estimates", 2002; Guo et
    al., "On calibration of modern neural networks", 2017.

    >>> rng = np.random.default_rng(0)
    >>> logit = rng.normal(size=50_000)
    >>> bought = rng.random(50_000) < 1 / (1 + np.exp(1 - 2 * logit))
    >>> platt = fit("platt", logit, bought)
    >>> round(platt.slope, 1), round(platt.intercept, 1)
    (2.0, -1.0)
    """
    z = finite_vector("cvr_logit", cvr_logit).astype(np.float64)
    v = as_labels("conversion", conversion, z.size)
    w = np.ones(z.size) if weight is None else in_range("weight", weight, 1e-300, np.inf, z.size)
    require_enough(v)
    return _fit(kind, z, v, w.astype(np.float64))


def require_enough(conversion: Mask, mend: str | None = None) -> None:
    """Raise `InputError` unless there are `FEWEST` rows with and without a conversion.

    Args:
        mend: how to get more, by default that for validation clicks.
    """
    positives = int(conversion.sum())
    if min(positives, conversion.size - positives) < FEWEST:
        raise InputError(
            f"calibration needs {FEWEST} clicked rows with a conversion and {FEWEST} without, "
            f"there are {positives:,} and {conversion.size - positives:,}: {mend or _more()}"
        )


def cross_fitted(
    kind: Kind, z: Floats, v: Mask, w: Floats, *, folds: int = FOLDS, seed: int = 0
) -> Floats:
    """Calibrated logits `(n,)` of rows, each by a calibrator that was fitted without the row.

    Rows are dealt to the folds at random, those with and those without a conversion each evenly.

    Raises:
        InputError: as `fit`.

    >>> z = np.tile([-2.0, 0.0, 1.0], 40)
    >>> v = np.arange(120) % 12 < 3
    >>> cross_fitted("none", z, v, np.ones(120))[:3].tolist()
    [-2.0, 0.0, 1.0]
    """
    require_enough(v)
    rng, fold = np.random.default_rng(seed), np.empty(v.size, dtype=np.int64)
    for label in (False, True):
        rows = rng.permutation(np.flatnonzero(v == label))
        fold[rows] = np.arange(rows.size) % folds
    found = np.empty(z.size)
    for k in range(folds):
        out = fold == k
        found[out] = _fit(kind, z[~out], v[~out], w[~out]).apply(z[out])
    return found


def _fit(kind: Kind, z: Floats, v: Mask, w: Floats) -> Calibrator:
    if kind == "none":
        return Calibrator("none")
    if np.ptp(z) == 0:
        raise InputError(
            f"pCVR is {float(sigmoid(z[:1])[0]):.4g} on all {z.size:,} clicked rows, so there is "
            "nothing to calibrate by: train longer, or look for what is wrong with the run"
        )
    if kind == "isotonic":
        return _isotonic(z, v, w)
    if z[v].min() >= z[~v].max():
        raise InputError(
            f"pCVR of every one of {int(v.sum()):,} conversions is above that of all other "
            f"clicked rows, no {kind} calibrator fits that: {_more()}, and look for leakage"
        )
    return _temperature(z, v, w) if kind == "temperature" else _platt(z, v, w)


def _temperature(z: Floats, v: Mask, w: Floats) -> Calibrator:
    """The cross-entropy is convex in 1 / T: the root of its derivative."""

    def derivative(slope: float) -> float:
        return float(np.sum(w * z * (sigmoid(slope * z) - v)))

    if derivative(0.0) >= 0:
        raise _wrong_way("temperature")
    if derivative(STEEPEST) <= 0:
        raise InputError(
            f"no temperature above {1 / STEEPEST:g} fits: pCVR lies on the right side of 0.5 on "
            f"nearly all clicked rows; take {option('kind', 'platt')} or isotonic"
        )
    return Calibrator("temperature", slope=float(brentq(derivative, 0.0, STEEPEST, xtol=1e-10)))


def _platt(z: Floats, v: Mask, w: Floats) -> Calibrator:
    from sklearn.linear_model import LogisticRegression

    mean, scale = float(np.average(z, weights=w)), float(z.std())
    # Scaled to spread 1, for the solver; C = inf is no penalty.
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1_000)
    model.fit(((z - mean) / scale)[:, None], v, sample_weight=w / w.mean())
    slope = float(model.coef_[0, 0]) / scale
    if slope <= 0:
        raise _wrong_way("platt")
    return Calibrator("platt", slope=slope, intercept=float(model.intercept_[0]) - slope * mean)


def _isotonic(z: Floats, v: Mask, w: Floats) -> Calibrator:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression().fit(z, v.astype(np.float64), sample_weight=w)
    knots, rates = model.X_thresholds_, np.array(model.y_thresholds_, dtype=np.float64)
    if rates[0] == rates[-1]:
        raise _wrong_way("isotonic")
    if rates[0] <= 0:
        block = z <= knots[rates == rates[0]][-1]
        above = rates[rates > rates[0]][0]
        rates[rates == rates[0]] = min(_half_more(w[block]), above)
    if rates[-1] >= 1:
        block = z >= knots[rates == rates[-1]][0]
        below = rates[rates < rates[-1]][-1]
        rates[rates == rates[-1]] = max(1 - _half_more(w[block]), below)
    calibrated = np.log(rates) - np.log1p(-rates)
    return Calibrator(
        "isotonic", logit=tuple(knots.tolist()), calibrated=tuple(calibrated.tolist())
    )


def _half_more(weights: Floats) -> float:
    """Rate of a block without a conversion, had it one more row that converted by half."""
    rows = float(weights.sum()) ** 2 / float(np.square(weights).sum())  # equally weighted ones
    return 0.5 / (rows + 1)


def _wrong_way(kind: Kind) -> InputError:
    return InputError(
        "pCVR of clicked rows does not rise with conversions, so that no increasing "
        f"{kind} calibrator fits: look at the run's cvr_auc, and train longer"
    )


def _more() -> str:
    return f"prepare with a larger {option('valid_fraction')}, or more rows"
