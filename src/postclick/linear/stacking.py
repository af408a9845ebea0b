"""Weights under which the mean of several predictions of held-out labels is most likely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from postclick.linear.logistic_loss import loss_and_residual
from postclick.linear.rows import Floats

Mean = Literal["probability", "logit"]
# How far the sum of losses may lie above its minimum: half the squared Newton decrement.
TOLERANCE = 1e-9
ITERATIONS = 100
SMALLEST_STEP = 1e-8
# Beyond this a logit says no more than at it, and its probability is above 0 still.
LARGEST_LOGIT = 500.0


def likelihoods(logits: Floats, label: Floats) -> Floats:
    """P(label) of each row, `(n, k)`, by members' logits `(n, k)`.

    >>> likelihoods(np.array([[0.0, np.log(3.0)]]), np.zeros(1)).round(4)
    array([[0.5 , 0.25]])
    """
    signed = np.where(label[:, None] > 0, logits, -logits)
    return np.asarray(1 / (1 + np.exp(-np.clip(signed, -LARGEST_LOGIT, LARGEST_LOGIT))))


def losses_of_mean(logits: Floats, label: Floats, weights: Floats, mean: Mean) -> Floats:
    """Logistic loss of each row, `(n,)`, of the mean of what members' logits `(n, k)` say.

    >>> z, half = np.array([[0.0, np.log(3.0)]]), np.full(2, 0.5)
    >>> [losses_of_mean(z, np.ones(1), half, of).round(4) for of in ("probability", "logit")]
    [array([0.47]), array([0.4557])]
    """
    if mean == "logit":
        return loss_and_residual(logits @ weights, label)[0]
    return np.asarray(-np.log(likelihoods(logits, label) @ weights))


def stacked_weights(
    logits: Floats,
    label: Floats,
    prior: Floats,
    *,
    mean: Mean = "probability",
    row_weight: Floats | None = None,
) -> Floats:
    """Minimise `sum_i c_i l(m_i(w); y_i) - sum_k a_k ln w_k` over weights w that sum to 1.

    With l the logistic loss, and m_i(w) either sum_k w_k p_ik or the probability of the logit
    sum_k w_k z_ik: both sums are convex. The prior is Dirichlet's with parameters 1 + a_k: where
    nothing can be learnt w is a / sum(a), and the larger sum(a), the more nats of likelihood it
    takes to move it.

    Newton's method within the simplex (Boyd and Vandenberghe, Convex optimization, 2004, section
    10.2).

    Source: Wolpert, Stacked generalization, Neural Networks 5, 1992; Breiman, Stacked regressions,
    Machine Learning 24, 1996; of predictive distributions: Yao, Vehtari, Simpson and Gelman,
    Bayesian Analysis 13, 2018.

    Args:
        logits: the z_ik, `(n, k)`: of rows that the members have not learnt from.
        label: the y_i, `(n,)`, 0 or 1.
        prior: the a_k, `(k,)`, above 0.
        row_weight: the c_i, `(n,)`; None for 1 each.

    Returns:
        `(k,)`, above 0, summing to 1.

    >>> z = np.array([[2.0, 0.0], [-2.0, 0.0]]).repeat(50, axis=0)
    >>> stacked_weights(z, np.array([1.0, 0.0]).repeat(50), np.ones(2)).round(2)
    array([0.98, 0.02])
    """
    weights = np.asarray(prior / prior.sum())
    if len(prior) == 1:
        return weights
    values = logits if mean == "logit" else likelihoods(logits, label)
    rows = np.ones(len(label)) if row_weight is None else row_weight
    objective = _Objective(values, label, rows, prior, mean)
    basis = _within_simplex(len(prior))
    for _ in range(ITERATIONS):
        gradient, curvature = objective.derivatives(weights)
        slope = basis.T @ gradient
        step = -np.linalg.solve(basis.T @ curvature @ basis, slope)
        fall = float(-slope @ step)
        if fall < 2 * TOLERANCE:
            break
        weights = _lower(objective, weights, basis @ step, fall)
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True)
class _Objective:
    """What is minimised; `values` are logits for their mean, likelihoods for that of those."""

    values: Floats
    label: Floats
    rows: Floats
    prior: Floats
    mean: Mean

    def loss(self, weights: Floats) -> float:
        found = self.values @ weights
        logits = self.mean == "logit"
        losses = loss_and_residual(found, self.label)[0] if logits else -np.log(found)
        return float(self.rows @ losses - self.prior @ np.log(weights))

    def derivatives(self, weights: Floats) -> tuple[Floats, Floats]:
        """Gradient `(k,)` and Hessian `(k, k)`."""
        found = self.values @ weights
        if self.mean == "logit":
            residual = loss_and_residual(found, self.label)[1]
            p = residual + self.label
            slope, curve = residual, p * (1 - p)
        else:
            slope, curve = -1 / found, 1 / found**2
        gradient = self.values.T @ (self.rows * slope) - self.prior / weights
        hessian = (self.values * (self.rows * curve)[:, None]).T @ self.values
        return gradient, hessian + np.diag(self.prior / weights**2)


def _within_simplex(members: int) -> Floats:
    """Orthonormal directions `(k, k - 1)` in which the sum of weights stays what it is."""
    return np.linalg.svd(np.ones((1, members)))[2][1:].T


def _lower(objective: _Objective, weights: Floats, step: Floats, fall: float) -> Floats:
    """As far along a Newton step as the sum falls by a tenth of what its slope promises."""
    before, falling = objective.loss(weights), step < 0
    size = min(1.0, 0.99 * float(np.min(-weights[falling] / step[falling])))
    while size > SMALLEST_STEP:
        there = weights + size * step
        if objective.loss(there) <= before - 0.1 * size * fall:
            return there
        size /= 2
    return weights
