"""Rows of a linear model: sparse columns, dense ones beside them, labels and weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats = NDArray[np.float64]
# All rows of a problem, block after block: what can be gone through again and again.
Blocks = Iterable["Block"]


@dataclass(frozen=True)
class Block:
    """Some rows of a problem.

    Attributes:
        sparse: matrices `(n, p)` over the same p columns, which are added up.
        dense: float64 `(n, d)`, columns p to p + d of the problem.
        label: float64 `(n,)`, in [0, 1].
        weight: float64 `(n,)`, 0 or more; None for 1 each.
        fold: int `(n,)`, which fold each row is in; None without folds.
    """

    sparse: tuple[csr_matrix, ...]
    dense: Floats
    label: Floats
    weight: Floats | None = None
    fold: NDArray[np.integer[Any]] | None = None

    def __len__(self) -> int:
        return int(self.label.size)

    def times(self, coefficients: Floats) -> Floats:
        """`X b`: coefficients `(p + d,)` or `(p + d, k)` -> `(n,)` or `(n, k)`."""
        split = coefficients.shape[0] - self.dense.shape[1]
        found = self.dense @ coefficients[split:]
        for matrix in self.sparse:
            found += matrix @ coefficients[:split]
        return np.asarray(found, np.float64)

    def transposed_times(self, values: Floats) -> Floats:
        """`X' v`: `(n,)` or `(n, k)` -> `(p + d,)` or `(p + d, k)`."""
        dense = self.dense.T @ values
        if not self.sparse:
            return np.asarray(dense, np.float64)
        first, *rest = (matrix.T @ values for matrix in self.sparse)
        for one in rest:
            first += one
        return np.concatenate([first, dense])

    def squared(self) -> Block:
        """The same rows with every x squared; entries of one row and column add up before."""
        return replace(
            self,
            sparse=tuple(_squared(matrix) for matrix in self.sparse),
            dense=np.square(self.dense),
        )


def _squared(matrix: csr_matrix) -> csr_matrix:
    """The square of 1 is 1, where no row has a column twice."""
    if matrix.has_canonical_format and bool((matrix.data == 1).all()):
        return matrix
    copied = matrix.copy()
    copied.sum_duplicates()
    copied.data **= 2
    return copied
