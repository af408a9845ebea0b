"""What an unseen cause would do to the conversions of the clicked at each click rate.

As strong as in the simulated world `hidden`: the measure in which the strength of a dependence is
told, and the direction in which it is looked for.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from postclick.logits import sigmoid

Floats = NDArray[np.float64]
# Standard deviations of either logit in that world: of all, of what features show, and of the
# unseen cause, which is the same for click and conversion.
ALL, SEEN, UNSEEN = 1.68, 1.68 * 0.6**0.5, 1.68 * 0.4**0.5
NODES = 30


def expected_shift(ctr: Floats, cvr: float) -> Floats:
    """Shift of the conversion logit of the clicked at each click rate, centred, `(k,)`.

    With independent normal A (sd 1.30, seen) and U (sd 1.06, unseen), a click has the probability
    sigmoid(a + A + U), a such that the mean is the click rate, and a conversion of the clicked
    sigmoid(b + U), b such that their mean is `cvr` over all rates. The shift is the logit of the
    mean at each rate less the mean logit. It falls with the click rate: where everybody clicks,
    nobody is selected. By Gauss-Hermite quadrature. For a small cause it is its variance times
    (1 - mean click probability of the clicked), by Stein's lemma.

    >>> expected_shift(np.array([0.5, 0.1, 0.02]), 0.1).round(2)
    array([-0.32,  0.06,  0.26])
    """
    nodes, mass = np.polynomial.hermite_e.hermegauss(NODES)
    mass = mass / mass.sum()
    rates = np.clip(ctr, 1e-6, 1.0 - 1e-6)
    # One normal of the whole spread gives a, its two parts what a click says of the unseen one.
    intercept = _root(lambda a: np.dot(sigmoid(a[:, None] + ALL * nodes), mass), rates)
    parts = SEEN * nodes[:, None] + UNSEEN * nodes[None, :]
    of_unseen = mass * (sigmoid(intercept[:, None, None] + parts).swapaxes(1, 2) @ mass)
    of_unseen /= of_unseen.sum(axis=1, keepdims=True)

    def means(b: Floats) -> Floats:
        return np.asarray(of_unseen @ sigmoid(b + UNSEEN * nodes), np.float64)

    mean = means(_root(lambda b: np.atleast_1d(means(b).mean()), np.array([cvr])))
    logit = np.log(mean) - np.log1p(-mean)
    return np.asarray(logit - logit.mean(), np.float64)


def _root(rising: Callable[[Floats], Floats], target: Floats) -> Floats:
    """Where a rising function of each number reaches its target, by bisection."""
    low, high = np.full(target.shape, -40.0), np.full(target.shape, 40.0)
    for _ in range(60):
        middle = 0.5 * (low + high)
        below = rising(middle) < target
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(middle, np.float64)
