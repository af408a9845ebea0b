"""Logits of two models and the labels that both are judged by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def two_models(n: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Logits of one model, of another that predicts less, and bool labels, `(n,)` each."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n) - 1.5
    label = rng.random(n) < sigmoid(z)
    return z + 0.3 * rng.normal(size=n), z - 0.4 + 0.3 * rng.normal(size=n), label


def sigmoid(z: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-z)))
