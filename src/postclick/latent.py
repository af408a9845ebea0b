"""Distributions of a cause that no feature shows, as nodes and weights of a quadrature."""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LatentName = Literal["normal", "two_point", "skewed"]
NODES = 15
# Shape of the gamma distribution that is called skewed: its skewness is 2 / sqrt(2).
SHAPE = 2.0


class Latent(NamedTuple):
    """A distribution of mean 0 and variance 1.

    Attributes:
        nodes: `(k,)`.
        weights: `(k,)`, summing to 1.
    """

    nodes: Floats
    weights: Floats


@cache
def latent(name: LatentName) -> Latent:
    """A distribution by name.

    `normal` and `skewed` (a gamma distribution of shape 2, standardised) are Gauss quadratures of
    15 nodes, exact for polynomials up to degree 29; `two_point` is -1 or 1, each with probability
    one half, and exact.

    Source: Golub and Welsch, "Calculation of Gauss quadrature rules", 1969.

    >>> [round(float(w @ n**3), 6) for n, w in map(latent, ("normal", "two_point", "skewed"))]
    [0.0, 0.0, 1.414214]
    """
    if name == "two_point":
        return Latent(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))
    degree = np.arange(1, NODES, dtype=np.float64)
    if name == "normal":
        return _gauss(np.zeros(NODES), np.sqrt(degree))
    diagonal = 2.0 * np.arange(NODES, dtype=np.float64) + SHAPE
    nodes, weights = _gauss(diagonal, np.sqrt(degree * (degree + SHAPE - 1)))
    return Latent((nodes - SHAPE) / np.sqrt(SHAPE), weights)


def _gauss(diagonal: Floats, beside: Floats) -> Latent:
    """From the recurrence of orthogonal polynomials."""
    jacobi = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    nodes, vectors = np.linalg.eigh(jacobi)
    weights = np.square(vectors[0])
    return Latent(nodes, weights / weights.sum())


LATENTS: tuple[LatentName, ...] = get_args(LatentName)
