"""How much each group of coefficients moves the rows' logits."""

from __future__ import annotations

import numpy as np

from postclick.linear.groups import Groups
from postclick.linear.rows import Blocks, Floats


def spread_by_group(blocks: Blocks, groups: Groups, coefficients: Floats) -> Floats:
    """Standard deviation over the rows, by their weights, of what each group adds, `(number,)`.

    >>> from scipy.sparse import csr_matrix
    >>> from postclick.linear.rows import Block
    >>> block = Block((csr_matrix(np.eye(2)),), np.zeros((2, 0)), np.zeros(2))
    >>> groups = Groups(np.array([0, 0]), np.zeros(2), 1)
    >>> spread_by_group([block], groups, np.array([1.0, -1.0]))
    array([1.])
    """
    apart = np.zeros((coefficients.size, groups.number))
    shared = np.flatnonzero(groups.of >= 0)
    apart[shared, groups.of[shared]] = coefficients[shared]
    mass, first, second = 0.0, np.zeros(groups.number), np.zeros(groups.number)
    for block in blocks:
        added = block.times(apart)
        weight = np.ones(len(block)) if block.weight is None else block.weight
        mass += float(weight.sum())
        first += weight @ added
        second += weight @ np.square(added)
    mean = first / mass
    return np.sqrt(np.maximum(second / mass - mean * mean, 0.0))
