"""Log-likelihoods on logits in float64, exact where probabilities would have rounded to 0 or 1."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LN_HALF = -float(np.log(2.0))


def softplus(z: NDArray[Any]) -> Floats:
    """`ln(1 + exp(z))` per row; `ln sigmoid(z)` is `-softplus(-z)`.

    Shape: `(n,)` logits, any float dtype.

    >>> print(softplus(np.array([-30.0, 0.0, 30.0])))
    [9.35762297e-14 6.93147181e-01 3.00000000e+01]
    """
    x = z.astype(np.float64, copy=False)
    return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))))


def cross_entropy(z: NDArray[Any], y: NDArray[Any]) -> Floats:
    """`-[y ln p + (1 - y) ln(1 - p)]` per row for `p = sigmoid(z)`; `y` may be soft.

    Shapes: `(n,)` logits and `(n,)` targets in [0, 1].

    >>> print(cross_entropy(np.array([30.0, 30.0, 0.0]), np.array([1, 0, 0.25])))
    [9.35762297e-14 3.00000000e+01 6.93147181e-01]
    """
    x = z.astype(np.float64, copy=False)
    target = y.astype(np.float64, copy=False)
    tail = np.log1p(np.exp(-np.abs(x)))
    # Not softplus(z) - y z: that loses every digit of a confident, correct prediction.
    return np.asarray(tail + target * np.maximum(-x, 0.0) + (1.0 - target) * np.maximum(x, 0.0))


def log_complement(log_t: Floats) -> Floats:
    """`ln(1 - t)` per row from `ln t <= 0`; minus infinity where `t` is 1.

    Shape: `(n,)`. Source: Maechler, "Accurately computing log(1 - exp(-|a|))", 2012.

    >>> print(log_complement(np.log(np.array([0.2, 0.75]))))
    [-0.22314355 -1.38629436]
    """
    small = np.log1p(-np.exp(np.minimum(log_t, _LN_HALF)))
    with np.errstate(divide="ignore"):
        large = np.log(-np.expm1(np.minimum(log_t, 0.0)))
    return np.where(log_t < _LN_HALF, small, large)


def log_ctcvr(ctr_logit: NDArray[Any], cvr_logit: NDArray[Any]) -> tuple[Floats, Floats]:
    """`ln t` and `ln(1 - t)` per row for `t = sigmoid(ctr_logit) * sigmoid(cvr_logit)`.

    Shapes: `(n,)` each. Finite for every finite logit.

    >>> log_t, log_rest = log_ctcvr(np.array([30.0, -2.0]), np.array([30.0, 0.0]))
    >>> print(log_t, log_rest)
    [-1.87152459e-13 -2.82007519e+00] [-29.30685282  -0.06145152]
    """
    log_p = -softplus(-ctr_logit)
    log_t = log_p - softplus(-cvr_logit)
    log_rest = np.log1p(-np.exp(np.minimum(log_t, _LN_HALF)))
    # Above 1/2 the digits of 1 - t are gone from t: add (1 - p) and p (1 - q) instead, where
    # nothing cancels. Below 1/2 it is this sum that would cancel.
    high = np.flatnonzero(log_t >= _LN_HALF)
    log_rest[high] = np.logaddexp(
        -softplus(ctr_logit[high]), log_p[high] - softplus(cvr_logit[high])
    )
    return log_t, log_rest
