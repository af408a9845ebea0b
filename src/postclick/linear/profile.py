"""A parameter by its profile likelihood: the best value, an interval, and a test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq, minimize_scalar

from postclick.linear.likelihood_ratio import CUT, Profile

# What has risen so far need not be followed further.
RISEN = 1.5 * CUT
# Of a grid that misses no mode of a curve between points much farther apart.
FINE = 0.05


def profile(
    loss: Callable[[float], float],
    *,
    step: float,
    limits: tuple[float, float],
    rounds: int = 2,
) -> Profile:
    """Profile a likelihood over one parameter.

    From 0 it goes in steps to both sides, until it has risen by more than the interval needs or a
    limit is reached. Then values at the best one and at the ends of the interval are added.

    Args:
        loss: minus the log-likelihood at a value, all else being as good as it can be. It is
            called once for each value.
        limits: no value is tried beyond.
        rounds: of refinement.

    Source: likelihood ratio, Wilks, 1938.

    >>> found = profile(lambda s: 8 * (s - 0.6) ** 2, step=0.5, limits=(-3.0, 3.0))
    >>> round(found.best, 3), round(found.low, 3), round(found.high, 3), found.rejects_zero
    (0.6, 0.11, 1.09, True)
    """
    known = {value: loss(value) for value in (0.0, step, -step)}
    while True:
        least = min(known.values())
        first, last = min(known), max(known)
        if first > limits[0] and known[first] - least < RISEN:
            value = max(first - step, limits[0])
        elif last < limits[1] and known[last] - least < RISEN:
            value = min(last + step, limits[1])
        else:
            break
        known[value] = loss(value)
    for _ in range(rounds):
        for value in _read(known):
            if np.isfinite(value) and min(abs(value - other) for other in known) > step / 20:
                known[value] = loss(value)
    best, low, high = _read(known)
    at = sorted(known)
    curve = _curve(known)
    least = curve(best)
    return Profile(
        tuple(at), tuple(known[value] - least for value in at), best, low, high, known[0.0] - least
    )


def shrunk(found: Profile, variance: float) -> float:
    """The mode of the posterior under the prior N(0, variance), between the values that were tried.

    Where the likelihood says much it is the best value; where it says little it is near 0.

    >>> found = profile(lambda s: 8 * (s - 0.6) ** 2, step=0.5, limits=(-3.0, 3.0))
    >>> round(shrunk(found, 1.0), 4), round(0.6 * 16 / (16 + 1), 4)
    (0.5647, 0.5647)
    """
    curve = _curve(dict(zip(found.at, found.loss, strict=True)))

    def loss(value: float) -> float:
        return curve(value) + value * value / (2 * variance)

    first, last = found.at[0], found.at[-1]
    grid = np.linspace(first, last, 1 + round((last - first) / FINE))
    middle = float(min(grid, key=loss))
    around = max(middle - FINE, first), min(middle + FINE, last)
    return float(minimize_scalar(loss, bounds=around, method="bounded").x)


def _curve(known: dict[float, float]) -> Callable[[float], float]:
    at = sorted(known)
    spline = CubicSpline(at, [known[value] for value in at])
    return lambda value: float(spline(value))


def _read(known: dict[float, float]) -> tuple[float, float, float]:
    """The least value of a spline through the points, and where it is `CUT` above."""
    at = sorted(known)
    curve = _curve(known)
    middle = min(at, key=lambda value: known[value])
    place = at.index(middle)
    around = at[max(place - 1, 0)], at[min(place + 1, len(at) - 1)]
    solved = minimize_scalar(curve, bounds=around, method="bounded", options={"xatol": 1e-6})
    best = float(solved.x) if solved.fun < known[middle] else middle
    height = curve(best) + CUT

    def crossing(beyond: list[float]) -> float | None:
        inner = best
        for value in beyond:
            if known[value] > height:
                return float(brentq(lambda x: curve(x) - height, inner, value))
            inner = value
        return None

    low = crossing([value for value in reversed(at) if value < best])
    high = crossing([value for value in at if value > best])
    return best, -np.inf if low is None else low, np.inf if high is None else high
