"""Reference of the selection model: the likelihood of all impressions, in plain probabilities.

Conventions as in ``losses``: float64, probability space, unweighted terms by name.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import roots_genlaguerre

from .losses import Array, Logits, Terms, _labels, mean, sigmoid


def quadrature(latent: str) -> tuple[Array, Array]:
    """Nodes and weights of a latent cause of mean 0 and variance 1."""
    if latent == "two_point":
        return np.array([-1.0, 1.0]), np.array([0.5, 0.5])
    if latent == "normal":
        nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    else:
        nodes, weights = roots_genlaguerre(15, 1.0)
        nodes = (nodes - 2.0) / np.sqrt(2.0)
    return nodes, weights / weights.sum()


def selection_at(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    dependence: float = 0.0,
    latent: str = "normal",
    frozen: Logits | None = None,
) -> Terms:
    """Terms ``ctr``, of clicks, and ``cvr``, of conversions given a click, both over D.

    >>> zero = np.zeros(2)
    >>> found = selection_at({"ctr": zero, "cvr": zero}, [1, 0], [1, 0], dependence=1.0)
    >>> round(found["ctr"], 6), round(found["cvr"], 6)  # ln 2, and less: who clicks has a high u
    (0.693147, 0.266571)
    """
    c, v, _ = _labels(click, conv)
    nodes, weights = quadrature(latent)
    p = sigmoid(logits["ctr"][:, None] + nodes)
    q = sigmoid(logits["cvr"][:, None] + dependence * nodes)
    clicked = p @ weights
    given = (p * q) @ weights / clicked
    of_click = c * np.log(clicked) + (1 - c) * np.log((1 - p) @ weights)
    of_conversion = c * (v * np.log(given) + (1 - v) * np.log((p * (1 - q)) @ weights / clicked))
    return {"ctr": mean(-of_click), "cvr": mean(-of_conversion)}
