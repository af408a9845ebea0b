"""What pCTR and pCVR on clicks imply for who does not click, if both share a hidden cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from postclick.latent import Floats, Latent
from postclick.logits import sigmoid

# Where predictors of clicks are looked up, and how finely: logits are then right to 1e-7.
FARTHEST, GRID = 40.0, 1e-3
ITERATIONS = 60
EXACT = 1e-11


class Implied(NamedTuple):
    """CVR of impressions, each `(n,)`: of those who do not click, and of all if all clicked."""

    unclicked: Floats
    entire: Floats


def click_curve(ctr_logits: Floats, shares: Floats, over: Latent) -> Floats:
    """P(click | u) at each node of the hidden cause, `(n, nodes)`.

    pCTR = E_u sigma(a + u) gives a. Where a is known at several values of an exposure, the click is
    averaged over them.

    Args:
        ctr_logits: of pCTR, `(n, k)`, by value of the exposure.
        shares: of the values, `(k,)`, summing to 1.

    >>> from postclick.latent import latent
    >>> over = latent("normal")
    >>> curve = click_curve(np.array([[-3.0]]), np.ones(1), over)
    >>> float((curve @ over.weights)[0].round(4)) # sigma(-3)
    0.0474
    """
    u, w = over
    table = np.arange(-FARTHEST, FARTHEST, GRID)
    p = sigmoid(table[:, None] + u)
    marginal = np.log(p @ w) - np.log(sigmoid(-table[:, None] - u) @ w)
    curve = np.zeros((len(ctr_logits), u.size))
    for logit, share in zip(ctr_logits.T, shares, strict=True):
        a = np.interp(logit, marginal, table)
        curve += share * sigmoid(a[:, None] + u)
    return curve


def implied_rates(
    curve: Floats, clicked_cvr_logit: Floats, dependence: float, over: Latent
) -> Implied:
    """CVR where nobody clicked, given that on clicks it is what a model says.

    b is that for which the rate on clicks, E_u[P(click | u) sigma(b + s u)] / pCTR, is the one
    that is given. Without clicks it is then E_u[(1 - P(click | u)) sigma(b + s u)] / (1 - pCTR),
    and over all E_u sigma(b + s u).

    Args:
        curve: P(click | u), `(n, nodes)`, of `click_curve`.
        clicked_cvr_logit: of P(conversion | click), `(n,)`.
        dependence: s; at 0 the rate is the same everywhere.
        over: the distribution of u.

    >>> from postclick.latent import latent
    >>> over = latent("normal")
    >>> curve = click_curve(np.array([[-3.0]]), np.ones(1), over)
    >>> [float(x[0].round(4)) for x in implied_rates(curve, np.array([-2.0]), 0.0, over)]
    [0.1192, 0.1192]
    >>> [float(x[0].round(4)) for x in implied_rates(curve, np.array([-2.0]), 1.0, over)]
    [0.0541, 0.0572]
    """
    u, w = over
    of_clicks = w * curve / (curve @ w)[:, None]

    def of(b: Floats) -> tuple[Floats, Floats]:
        q = _sigmoid(b[:, None] + dependence * u)
        return _logit_and_slope(q, of_clicks)

    ends = clicked_cvr_logit - (dependence * u)[:, None]
    b = _solved(of, clicked_cvr_logit, ends.min(0), ends.max(0))
    q = _sigmoid(b[:, None] + dependence * u)
    without = (w * (1 - curve) * q).sum(1) / ((1 - curve) @ w)
    return Implied(without, q @ w)


def _logit_and_slope(q: Floats, share: Floats) -> tuple[Floats, Floats]:
    """The logit of the mean of probabilities, `(n, k)` by shares, and its slope in their logits."""
    yes, no = (share * q).sum(1), (share * (1 - q)).sum(1)
    slope = (share * q * (1 - q)).sum(1) / (yes * no)
    return np.log(yes) - np.log(no), slope


def _solved(
    of: Callable[[Floats], tuple[Floats, Floats]], target: Floats, low: Floats, high: Floats
) -> Floats:
    """Where a rising function is what it should be: Newton's method, within ends that close in.

    Between the ends, as a mean lies between the least and the largest of what it is a mean of.
    """
    at = (low + high) / 2
    for _ in range(ITERATIONS):
        value, slope = of(at)
        below = value < target
        low, high = np.where(below, at, low), np.where(below, high, at)
        step = (target - value) / np.maximum(slope, 1e-12)
        moved = at + step
        moved = np.where((moved > low) & (moved < high), moved, (low + high) / 2)
        done = np.abs(moved - at).max(initial=0.0) < EXACT
        at = moved
        if done:
            break
    return at


def _sigmoid(z: Floats) -> Floats:
    # Away from 0 and 1, so that neither probability is lost.
    return sigmoid(np.clip(z, -30.0, 30.0))
