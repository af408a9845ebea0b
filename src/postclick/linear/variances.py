"""Prior variances of groups of coefficients, estimated from the data: empirical Bayes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from postclick.linear.groups import Groups
from postclick.linear.posterior import curvature, fit_mode
from postclick.linear.rows import Blocks, Floats

SMALLEST, LARGEST = 1e-4, 25.0
START = 0.1
ROUNDS = 12
# A variance is settled when its logarithm moves by less than this.
SETTLED = 0.03


@dataclass(frozen=True)
class EmpiricalBayes:
    """Variances of the groups, `(number,)`, and the mode under them, `(p,)`."""

    variances: Floats
    coefficients: Floats


def estimate_variances(
    blocks: Blocks,
    groups: Groups,
    start: Floats,
    *,
    variances: Floats | None = None,
    tolerance: float = 1e-1,
    threads: int = 1,
) -> EmpiricalBayes:
    """Find the variances under which the data are about most probable.

    Each round finds the mode b and, around it, the posterior variance of each coefficient
    `s_j^2 = 1 / (sum_i w_i p_i (1 - p_i) x_ij^2 + 1 / v)`. The new variance of a group is the
    geometric mean of two steps that are known: EM's `mean(b^2 + s^2)` (Dempster, Laird and Rubin,
    1977), which creeps towards 0, and `sum b^2 / sum(1 - s^2 / v)` (MacKay, 1992), which leaps.
    Coefficients of which no row says anything have no part in it.

    Args:
        start: `(p,)`, where the mode is searched from.
        variances: of the groups to begin with; by default 0.1 each.
    """
    found = np.full(groups.number, START) if variances is None else variances.copy()
    coefficients, told = start, None
    for _ in range(ROUNDS):
        prior = groups.prior(found)
        coefficients = fit_mode(
            blocks, prior, coefficients, told=told, tolerance=tolerance, threads=threads
        )
        told = curvature(blocks, coefficients, threads=threads)
        moved = _step(groups, found, coefficients, told)
        apart = np.abs(np.log(moved) - np.log(found))
        found = moved
        if not apart.size or apart.max() < SETTLED:
            break
    return EmpiricalBayes(found, coefficients)


def _step(groups: Groups, variances: Floats, coefficients: Floats, told: Floats) -> Floats:
    used = np.flatnonzero((groups.of >= 0) & (told > 0))
    of = groups.of[used]
    before = variances[of]
    spread = 1.0 / (told[used] + 1.0 / before)
    square = np.square(coefficients[used])

    def per_group(values: Floats) -> Floats:
        return np.bincount(of, values, groups.number).astype(np.float64)

    count = per_group(np.ones(used.size))
    em = np.divide(per_group(square + spread), count, out=variances.copy(), where=count > 0)
    known = per_group(1.0 - spread / before)
    mackay = np.divide(per_group(square), known, out=em.copy(), where=known > 0)
    moved = np.sqrt(em * np.clip(mackay, SMALLEST, LARGEST))
    return np.asarray(np.clip(np.where(count > 0, moved, variances), SMALLEST, LARGEST))
