"""Distributions of a cause that no column shows, each with mean 0 and variance 1."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import roots_genlaguerre

from postclick.datasets.simulated.population import Floats

# Of the skewed one: a gamma variable of this shape, centred; its skewness is 2 / sqrt(shape).
SHAPE = 2.0
NODES = 40


@dataclass(frozen=True)
class Cause:
    """A distribution with mean 0 and variance 1.

    Attributes:
        draw: from a generator, so many independent values.
        rule: nodes and weights, which sum to 1, of a quadrature in it.
        symmetric: its negative has the same distribution.
    """

    draw: Callable[[np.random.Generator, int], Floats]
    rule: Callable[[], tuple[Floats, Floats]]
    symmetric: bool = True


def _normal_rule() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, weights / weights.sum()


def _skewed(rng: np.random.Generator, size: int) -> Floats:
    return np.asarray((rng.standard_gamma(SHAPE, size) - SHAPE) / np.sqrt(SHAPE))


def _skewed_rule() -> tuple[Floats, Floats]:
    nodes, weights = roots_genlaguerre(NODES, SHAPE - 1.0)
    return (nodes - SHAPE) / np.sqrt(SHAPE), weights / weights.sum()


CAUSES: dict[str, Cause] = {
    "normal": Cause(lambda rng, size: rng.standard_normal(size), _normal_rule),
    "two_point": Cause(
        lambda rng, size: rng.choice((-1.0, 1.0), size),
        lambda: (np.array([-1.0, 1.0]), np.array([0.5, 0.5])),
    ),
    "skewed": Cause(_skewed, _skewed_rule, symmetric=False),
}
