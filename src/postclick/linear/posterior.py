"""The mode of a penalised logistic likelihood, for one problem or several folds of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from postclick.linear.groups import Prior
from postclick.linear.logistic_loss import loss_and_residual, weighted
from postclick.linear.mode import mode
from postclick.linear.rows import Block, Blocks, Floats
from postclick.logits import sigmoid

TOLERANCE = 1e-2
Result = TypeVar("Result")


def fit_mode(
    blocks: Blocks,
    prior: Prior,
    start: Floats,
    *,
    told: Floats | None = None,
    folds: int = 0,
    tolerance: float = TOLERANCE,
    iterations: int = 300,
    threads: int = 1,
) -> Floats:
    """Minimise `sum_i w_i [ln(1 + e^z_i) - y_i z_i] + 1/2 sum_j b_j^2 / variance_j`, z = X b.

    With `folds`, K of them, K such problems are solved together: number k leaves out the rows of
    fold k. Their sums are taken in one pass over the rows, which costs little more than one.

    Args:
        start: `(p,)`, where to begin, of all folds too.
        told: `curvature` there, if it is known already.
        tolerance: stop once an iteration lowers the sum by less than this, in nats: far less than
            what a coefficient can be off by, see `standard_error`, changes it by, which is 1/2.

    Returns:
        `(p,)`, or `(p, K)`.

    Source: L-BFGS (Liu and Nocedal, 1989), in units of the posterior's standard deviations.

    >>> from scipy.sparse import csr_matrix
    >>> block = Block((csr_matrix(np.eye(2)),), np.zeros((2, 0)), np.array([1.0, 0.0]))
    >>> fit_mode([block], Prior(np.ones(2)), np.zeros(2)).round(3).tolist()
    [0.401, -0.401]
    """
    known = curvature(blocks, start, threads=threads) if told is None else told

    def likelihood(coefficients: Floats) -> tuple[float, Floats]:
        return loss_and_slope(blocks, coefficients, folds=folds, threads=threads)

    return mode(
        likelihood,
        prior,
        np.repeat(start[:, None], folds, axis=1) if folds else start,
        units=prior.scale(known),
        tolerance=tolerance,
        iterations=iterations,
    )


def loss_and_slope(
    blocks: Blocks, coefficients: Floats, *, folds: int = 0, threads: int = 1
) -> tuple[float, Floats]:
    """The sum of losses, and its slope, of all problems; blocks are added in their order."""

    def of(block: Block) -> tuple[float, Floats]:
        z = block.times(coefficients)
        weight = _weights(block, folds)
        y = block.label if not folds else block.label[:, None]
        losses, residual = loss_and_residual(z, y)
        if weight is not None:
            losses *= weight
            residual *= weight
        return float(losses.sum()), block.transposed_times(residual)

    loss, slope = 0.0, np.zeros(coefficients.shape)
    for one, its_slope in _in_order(of, blocks, threads):
        loss += one
        slope += its_slope
    return loss, slope


def curvature(blocks: Blocks, coefficients: Floats, *, threads: int = 1) -> Floats:
    """`sum_i w_i p_i (1 - p_i) x_ij^2` for each column, `(p,)`: how much the rows say of it."""

    def of(block: Block) -> Floats:
        p = sigmoid(block.times(coefficients))
        v = p * (1 - p)
        return block.squared().transposed_times(weighted(block, v))

    total = np.zeros(coefficients.size)
    for one in _in_order(of, blocks, threads):
        total += one
    return total


def _weights(block: Block, folds: int) -> Floats | None:
    """What each row counts in each problem."""
    if not folds:
        return block.weight
    assert block.fold is not None
    used = (block.fold[:, None] != np.arange(folds)).astype(np.float64)
    return used if block.weight is None else np.asarray(used * block.weight[:, None])


def _in_order(
    function: Callable[[Block], Result], blocks: Blocks, threads: int
) -> Iterator[Result]:
    """The function's results in the order of the blocks, some of which are worked on ahead."""
    if threads == 1:
        yield from map(function, blocks)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[Result]] = []
        for block in blocks:
            waiting.append(pool.submit(function, block))
            if len(waiting) > threads:
                yield waiting.pop(0).result()
        for one in waiting:
            yield one.result()
