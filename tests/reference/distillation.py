"""Reference of UKD: a rebalanced adversarial teacher and a student with two heads.

Conventions as in ``losses``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .losses import Array, Logits, Terms, _frozen, _labels, _one_of, bce, mean, sigmoid


def kl(a: Array, b: Array) -> Array:
    """KL(Bern(a) || Bern(b)) of probabilities kept 1e-6 from 0 and 1."""
    a, b = np.clip(a, 1e-6, 1 - 1e-6), np.clip(b, 1e-6, 1 - 1e-6)
    return np.asarray(a * np.log(a / b) + (1.0 - a) * np.log((1.0 - a) / (1.0 - b)))


def ukd_teacher(logits: Logits, click: ArrayLike, conv: ArrayLike) -> Terms:
    """Stage 1, heads ``teacher`` (a) and ``domain`` (d): terms ``teacher``, ``adversarial``.

    Means over a batch where clicked rows weigh n_U/n_C, in place of the published oversampling:
    half of the weight is on either space, so teacher = mean_C[l(a; v)] / 2. The reversal of the
    discriminator's gradient is the network's business.
    """
    c, v, clicked = _labels(click, conv)
    a, d = sigmoid(logits["teacher"]), sigmoid(logits["domain"])
    domain = bce(d, c)
    return {
        "teacher": 0.5 * mean(bce(a, v)[clicked]),
        "adversarial": 0.5 * (mean(domain[clicked]) + mean(domain[~clicked])),
    }


def ukd_student(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    kl_space: str = "unclicked",
    unclicked_weight: float = 0.5,
    uncertainty: bool = True,
    exponent: float = 100.0,
    frozen: Logits | None = None,
) -> Terms:
    """Stage 2: ``ctr``, ``cvr_first``, ``cvr_second``, ``agreement_12``, ``agreement_21``.

    Heads ``ctr``, ``cvr`` (q1), ``cvr_second`` (q2) and the frozen ``teacher``. The uncertainty
    weight of head i is exp(-exponent sg(K_ij)).
    """
    _one_of("kl_space", kl_space, ("unclicked", "all"))
    c, v, _ = _labels(click, conv)
    z_sg = _frozen(logits, frozen)
    a = sigmoid(z_sg["teacher"])
    q1, q2 = sigmoid(logits["cvr"]), sigmoid(logits["cvr_second"])
    held1, held2 = sigmoid(z_sg["cvr"]), sigmoid(z_sg["cvr_second"])

    def fit(q: Array, distance: Array) -> float:
        u = np.exp(-exponent * distance) if uncertainty else np.ones_like(distance)
        return mean(c * bce(q, v) + unclicked_weight * (1.0 - c) * u * bce(q, a))

    rows = np.ones_like(c) if kl_space == "all" else 1.0 - c
    return {
        "ctr": mean(bce(sigmoid(logits["ctr"]), c)),
        "cvr_first": fit(q1, kl(held1, held2)),
        "cvr_second": fit(q2, kl(held2, held1)),
        "agreement_12": mean(rows * kl(q1, q2)),
        "agreement_21": mean(rows * kl(q2, q1)),
    }


def ukd(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    kl_space: str = "unclicked",
    unclicked_weight: float = 0.5,
    uncertainty: bool = True,
    exponent: float = 100.0,
    frozen: Logits | None = None,
) -> Terms:
    """All terms of both stages.

    >>> z = {h: np.zeros(3) for h in ("teacher", "domain", "ctr", "cvr", "cvr_second")}
    >>> terms = ukd(z, [1, 0, 0], [1, 0, 0])
    >>> round(terms["teacher"], 4), round(terms["adversarial"], 4), terms["agreement_12"]
    (0.3466, 0.6931, 0.0)
    """
    student = ukd_student(
        logits,
        click,
        conv,
        kl_space=kl_space,
        unclicked_weight=unclicked_weight,
        uncertainty=uncertainty,
        exponent=exponent,
        frozen=frozen,
    )
    return {**ukd_teacher(logits, click, conv), **student}
