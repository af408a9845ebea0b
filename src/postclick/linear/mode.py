"""Where a log-likelihood with Gaussian priors is greatest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from postclick.linear.groups import Prior
from postclick.linear.rows import Floats

# A sum over rows and its slope, of coefficients.
Objective = Callable[[Floats], tuple[float, Floats]]
# Corrections that L-BFGS remembers: more cost memory, not time, on problems of this kind.
MEMORY = 10


def descend(objective: Objective, start: Floats, *, tolerance: float, iterations: int) -> Floats:
    """Minimise from `start`, `(n,)`, until an iteration lowers the sum by less than `tolerance`.

    Source: L-BFGS (Liu and Nocedal, 1989).

    >>> descend(lambda x: (float(x @ x), 2 * x), np.ones(2), tolerance=1e-9, iterations=9).round(6)
    array([0., 0.])
    """
    # A pass over all rows, which the first iteration need not repeat.
    first = [objective(start)]
    size = abs(first[0][0])
    solved = minimize(
        lambda at: first.pop() if first else objective(at),
        start,
        jac=True,
        method="L-BFGS-B",
        options={
            "maxcor": MEMORY,
            "ftol": tolerance / max(size, 1.0),
            "gtol": 0.0,
            "maxiter": iterations,
            "maxfun": 4 * iterations,
        },
    )
    return np.asarray(solved.x, np.float64)


def mode(
    likelihood: Objective,
    prior: Prior,
    start: Floats,
    *,
    units: Floats | None = None,
    tolerance: float = 1e-4,
    iterations: int = 500,
) -> Floats:
    """Minimise minus a log-likelihood plus `1/2 sum_j b_j^2 / variance_j`.

    Args:
        start: where to begin, `(p,)`, or `(p, k)` for k problems whose sums are added up.
        units: `(p,)`, in which the sum is about equally curved; None for those of the prior.
        tolerance: stop once an iteration lowers the sum by less than this.

    Returns:
        In the shape of `start`.

    >>> prior = Prior(np.full(2, 4.0))
    >>> mode(lambda b: (float((b - 5) @ (b - 5)), 2 * (b - 5)), prior, np.zeros(2)).round(3)
    array([4.444, 4.444])
    """
    shape = (-1, *(1,) * (start.ndim - 1))
    known = prior.scale(np.zeros(len(start))) if units is None else units
    scale = np.where(prior.variance == 0, 0.0, known).reshape(shape)
    precision = prior.precision.reshape(shape)
    begin = np.divide(start, scale, out=np.zeros(start.shape), where=scale > 0)

    def objective(flat: Floats) -> tuple[float, Floats]:
        found = scale * flat.reshape(start.shape)
        loss, slope = likelihood(found)
        loss += 0.5 * float((precision * found * found).sum())
        return loss, (scale * (slope + precision * found)).ravel()

    solved = descend(objective, begin.ravel(), tolerance=tolerance, iterations=iterations)
    return np.asarray(scale * solved.reshape(start.shape), np.float64)
