"""How far a coefficient could be elsewhere: the Laplace approximation of its posterior."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from postclick.linear.groups import Prior
from postclick.linear.logistic_loss import weighted
from postclick.linear.posterior import curvature
from postclick.linear.rows import Blocks, Floats
from postclick.logits import sigmoid


def standard_error(
    blocks: Blocks, prior: Prior, coefficients: Floats, column: int, *, tolerance: float = 1e-8
) -> float:
    """Posterior standard deviation of one coefficient at the mode, all others being unknown, too.

    It is the root of that element of the inverse of `X' W X + 1 / variance`, W = w p (1 - p), found
    by conjugate gradients, so that the matrix is never made.

    Raises:
        ValueError: the coefficient is held at 0.

    >>> from scipy.sparse import csr_matrix
    >>> from postclick.linear.rows import Block
    >>> block = Block((csr_matrix(np.eye(2)),), np.zeros((2, 0)), np.array([1.0, 0.0]))
    >>> round(standard_error([block], Prior(np.full(2, 4.0)), np.zeros(2), 0), 6)
    1.414214
    """
    if prior.variance[column] == 0:
        raise ValueError(f"coefficient {column} is held at 0")
    precision = prior.precision
    scale = prior.scale(curvature(blocks, coefficients))
    weights = []
    for block in blocks:
        p = sigmoid(block.times(coefficients))
        weights.append(weighted(block, p * (1 - p)))

    def hessian(direction: Floats) -> Floats:
        direction = scale * direction.ravel()
        found = precision * direction
        for block, weight in zip(blocks, weights, strict=True):
            found += block.transposed_times(weight * block.times(direction))
        return scale * found

    unit = np.zeros(coefficients.size)
    unit[column] = 1.0
    shape = (unit.size, unit.size)
    operator = LinearOperator(shape, matvec=hessian, dtype=np.float64)
    solved, _ = cg(operator, unit, rtol=tolerance, maxiter=1000)
    return float(scale[column] * np.sqrt(max(solved[column], 0.0)))
