"""The likelihood of selection and of selected outcomes, tied by a latent cause, row by row.

Every sum over nodes is one of positive numbers, of which nothing is lost to rounding, and needs one
exponential of each predictor: sigma(a + u) = e^a e^u / (1 + e^a e^u).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from postclick.latent import Latent
from postclick.linear.rows import Floats

# e to three times its power, times those of nodes, is still a number.
LARGEST = 150.0


class SelectionLoss(NamedTuple):
    """Minus the log-likelihood of whether rows are selected, and its slope, each `(n,)`."""

    loss: Floats
    slope: Floats


class OutcomeLoss(NamedTuple):
    """Minus the log-likelihood of outcomes of selected rows, and its slopes, each `(n,)`."""

    loss: Floats
    by_selection: Floats
    by_outcome: Floats


def selection_loss(a: Floats, selected: bool, over: Latent, log_kept: float = 0.0) -> SelectionLoss:
    """`-ln P(selected)` or `-ln P(not selected)`, P(selected) = E_u sigma(a + u).

    Where rows that are not selected were left out at random, and a share R was kept, it is the
    probability among the rows that are there: odds of selection are 1 / R as high.

    Args:
        selected: whether all these rows are selected, or none.
        log_kept: ln R.

    >>> from postclick.latent import latent
    >>> loss, slope = selection_loss(np.zeros(1), True, latent("normal"))
    >>> float(loss[0].round(6)), float(slope[0].round(6))
    (0.693147, -0.413242)
    """
    a = np.minimum(a, LARGEST)
    odds = np.exp(a)
    # P(not selected); P(selected) and its slope without their factor e^a.
    no, yes, slope = np.zeros(a.size), np.zeros(a.size), np.zeros(a.size)
    part, below = np.empty(a.size), np.empty(a.size)
    for node, weight in zip(np.exp(over.nodes), over.weights, strict=True):
        np.multiply(odds, node, out=below)
        below += 1.0
        np.divide(weight, below, out=part)
        no += part
        part *= node
        yes += part
        part /= below
        slope += part
    logit = a + np.log(yes) - np.log(no) - log_kept
    residual = -expit(-logit) if selected else expit(logit)
    # The logit's slope is that of P over P (1 - P).
    slope /= yes
    slope /= no
    loss = np.logaddexp(0.0, -logit if selected else logit)
    return SelectionLoss(loss, residual * slope)


def outcome_loss(a: Floats, b: Floats, s: float, outcome: Floats, over: Latent) -> OutcomeLoss:
    """`-ln P(outcome | selected)`, P(outcome = 1 | selected, u) = sigma(b + s u).

    u is averaged over those who are selected. An outcome between 0 and 1 counts as that share of
    a row with 1, the rest with 0.

    >>> from postclick.latent import latent
    >>> found = outcome_loss(np.zeros(1), np.zeros(1), 1.0, np.ones(1), latent("normal"))
    >>> [float(x[0].round(4)) for x in found]
    [0.5331, 0.0611, -0.3521]
    """
    a, b = np.minimum(a, LARGEST), np.clip(b, -LARGEST, LARGEST)
    odds, odds_of_outcome = np.exp(a), np.exp(b)
    # Sums without the factor e^a, those of outcome 1 without e^b; two-letter ones are slopes.
    every, yes, no, every_a, yes_a, yes_b, no_a, no_b = np.zeros((8, a.size))
    nodes = zip(np.exp(over.nodes), np.exp(s * over.nodes), over.weights, strict=True)
    for node, node_of_outcome, weight in nodes:
        p_not = 1.0 / (1.0 + node * odds)
        q_not = 1.0 / (1.0 + node_of_outcome * odds_of_outcome)
        part = weight * node * p_not
        every += part
        every_a += part * p_not
        part *= q_not
        no += part
        yes += node_of_outcome * part
        no_b += part * q_not
        yes_b += node_of_outcome * (part * q_not)
        part *= p_not
        no_a += part
        yes_a += node_of_outcome * part
    loss = np.log(every) - outcome * (b + np.log(yes)) - (1 - outcome) * np.log(no)
    by_selection = every_a / every - outcome * (yes_a / yes) - (1 - outcome) * (no_a / no)
    by_outcome = (1 - outcome) * (1 - no_b / no) - outcome * (yes_b / yes)
    return OutcomeLoss(loss, by_selection, by_outcome)
