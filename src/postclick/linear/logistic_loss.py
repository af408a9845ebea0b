"""The logistic loss of rows, and its slope in their logits."""

from __future__ import annotations

import numpy as np

from postclick.linear.rows import Block, Floats


def loss_and_residual(z: Floats, label: Floats) -> tuple[Floats, Floats]:
    """`ln(1 + e^z) - y z` and `sigma(z) - y`, in the shape of z; `label` may broadcast.

    >>> loss_and_residual(np.zeros(1), np.ones(1))
    (array([0.69314718]), array([-0.5]))
    """
    small = np.exp(-np.abs(z))
    # Not log1p, which is slow and no more exact where a sum is all that counts.
    losses = np.log(1.0 + small) + np.maximum(z, 0.0) - label * z
    return losses, np.where(z >= 0.0, 1.0, small) / (1.0 + small) - label


def weighted(block: Block, values: Floats) -> Floats:
    """Values of a block's rows, `(n,)`, by what the rows weigh."""
    return values if block.weight is None else np.asarray(block.weight * values)
