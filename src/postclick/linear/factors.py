"""Products of columns: a factorisation machine on top of a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from postclick.linear.groups import Prior
from postclick.linear.logistic_loss import loss_and_residual, weighted
from postclick.linear.mode import descend
from postclick.linear.posterior import TOLERANCE, curvature
from postclick.linear.rows import Block, Floats


@dataclass(frozen=True)
class Factored:
    """A regression with products: `z = X b + 1/2 sum_k [(X V_k)^2 - X^2 V_k^2]`.

    Attributes:
        coefficients: b, `(p,)`.
        factors: V, `(p, k)`.
    """

    coefficients: Floats
    factors: Floats

    def logits(self, block: Block) -> Floats:
        """z of each row, `(n,)`."""
        return block.times(self.coefficients) + products(block, self.factors)

    def losses(self, blocks: Sequence[Block]) -> Floats:
        """`w [ln(1 + e^z) - y z]` of each row, `(n,)`."""
        found = []
        for block in blocks:
            losses, _ = loss_and_residual(self.logits(block), block.label)
            found.append(weighted(block, losses))
        return np.concatenate(found)


def products(block: Block, factors: Floats) -> Floats:
    """What the factors of a row's columns add to its logit, pair by pair, `(n,)`."""
    added = block.times(factors)
    own = block.squared().times(np.square(factors).sum(1))
    return np.asarray(0.5 * (np.square(added).sum(1) - own))


def fit_factors(
    blocks: Sequence[Block],
    prior: Prior,
    start: Floats,
    paired: NDArray[np.bool_],
    *,
    size: int,
    variance: float,
    seed: int,
    tolerance: float = TOLERANCE,
    iterations: int = 200,
) -> Factored:
    """Minimise the losses and `1/2 sum_j b_j^2 / variance_j + 1/2 sum V^2 / variance` over b and V.

    There is more than one minimum: different seeds begin elsewhere, and a mean of some is better
    than each.

    Args:
        start: b to begin with, `(p,)`.
        paired: bool `(p,)`, columns that have factors; those of others, and of columns that no
            row has, stay 0.
        size: factors of each column, k.

    Source: Rendle, "Factorization machines", 2010, eq. (1) and lemma 3.1; L-BFGS as in `fit_mode`.
    """
    told = curvature(blocks, start)
    scale = prior.scale(told)
    precision, deviation = prior.precision, np.sqrt(variance)
    p = start.size
    used = np.flatnonzero(paired & (told > 0))
    first = np.random.default_rng(seed).normal(0, 0.3, (used.size, size))
    begin = np.divide(start, scale, out=np.zeros(p), where=scale > 0)
    squares = [block.squared() for block in blocks]

    def parts(flat: Floats) -> tuple[Floats, Floats]:
        factors = np.zeros((p, size))
        factors[used] = deviation * flat[p:].reshape(used.size, size)
        return scale * flat[:p], factors

    def objective(flat: Floats) -> tuple[float, Floats]:
        b, v = parts(flat)
        loss = 0.5 * float(precision @ np.square(b)) + 0.5 * float(np.square(flat[p:]).sum())
        slope, by_factor = precision * b, np.zeros((p, size))
        for block, square in zip(blocks, squares, strict=True):
            both = block.times(np.column_stack([b, v]))
            added = both[:, 1:]
            z = both[:, 0] + 0.5 * (np.square(added).sum(1) - square.times((v * v).sum(1)))
            losses, residual = (weighted(block, x) for x in loss_and_residual(z, block.label))
            loss += float(losses.sum())
            both[:, 0], both[:, 1:] = residual, residual[:, None] * added
            along = block.transposed_times(both)
            slope += along[:, 0]
            by_factor += along[:, 1:]
            by_factor -= square.transposed_times(residual)[:, None] * v
        factor_slope = deviation * by_factor[used].ravel() + flat[p:]
        return loss, np.concatenate([scale * slope, factor_slope])

    at = np.concatenate([begin, first.ravel()])
    return Factored(*parts(descend(objective, at, tolerance=tolerance, iterations=iterations)))
