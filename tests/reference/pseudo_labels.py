"""Reference of DCMT, DDPO and NISE, which put labels of their own on unclicked rows.

Conventions as in ``losses``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .doubly_robust import Clip
from .losses import Array, Logits, Terms, _frozen, _labels, _one_of, _weighted, bce, mean, sigmoid


def dcmt(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: Clip = (0.01, 0.99),
    detach_propensity: bool = True,
    self_normalise: bool = True,
    normalise_over_all: bool = False,
    counterfactual_label: str = "flipped",
    frozen: Logits | None = None,
) -> Terms:
    """DCMT: ``ctr``, ``ctcvr``, ``factual`` (A), ``counterfactual`` (B), ``constraint``.

    Head ``counterfactual`` (k) predicts "not converting". Weights sum to 1 per space, or both
    terms are over n. EVI's repository: k is fitted to the ``recorded`` v, and weights are divided
    by their sum over *all* rows (``normalise_over_all``) and the result by n.

    >>> z = {head: np.zeros(4) for head in ("ctr", "cvr", "counterfactual")}
    >>> terms = dcmt({**z, "counterfactual": np.full(4, 9.0)}, [1, 0, 0, 0], [1, 0, 0, 0])
    >>> terms["counterfactual"] < 0.001, round(terms["constraint"], 3)
    (True, 0.5)
    """
    _one_of("counterfactual_label", counterfactual_label, ("flipped", "recorded"))
    c, v, clicked = _labels(click, conv)
    p, q, k = (sigmoid(logits[head]) for head in ("ctr", "cvr", "counterfactual"))
    pi = np.clip(sigmoid(_frozen(logits, frozen)["ctr"]) if detach_propensity else p, *clip)
    on, off = 1.0 / pi, 1.0 / (1.0 - pi)
    on_loss = bce(q, v)
    off_loss = bce(k, v if counterfactual_label == "recorded" else 1.0 - v)
    if normalise_over_all:
        size = max(c.size, 1)  # the weights of an empty batch sum to 0
        factual = mean(c * on * on_loss) / (on.sum() or size)
        counterfactual = mean((1.0 - c) * off * off_loss) / (off.sum() or size)
    else:
        norm = "self" if self_normalise else "entire"
        factual = _weighted(on_loss, on, clicked, norm)
        counterfactual = _weighted(off_loss, off, ~clicked, norm)
    return {
        "ctr": mean(bce(p, c)),
        "ctcvr": mean(bce(p * q, c * v)),
        "factual": factual,
        "counterfactual": counterfactual,
        "constraint": mean(np.abs(1.0 - q - k)),
    }


def ddpo(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: Clip = (1e-6, 1 - 1e-6),
    detach_propensity: bool = True,
    soft_label: str = "dynamic",
    conversion_head: bool = True,
    extra_batch_mean: bool = False,
    self_normalise: bool = True,
    frozen: Logits | None = None,
) -> Terms:
    """DDPO: ``ctr``, ``conversion``, ``ctcvr``, ``cvr_clicked``, ``cvr_unclicked``.

    ``dynamic``: clicked target 1 if v=1 else sg(a); ``unclicked_only``: v. Without the conversion
    head there are no soft labels: clicked rows keep v, unclicked rows drop out.
    EVI's repository: ``unclicked_only``, not ``self_normalise`` (both terms over n), clip 1e-7.
    """
    _one_of("soft_label", soft_label, ("dynamic", "unclicked_only"))
    c, v, clicked = _labels(click, conv)
    z_sg = _frozen(logits, frozen)
    p, q = sigmoid(logits["ctr"]), sigmoid(logits["cvr"])
    pi = np.clip(sigmoid(z_sg["ctr"]) if detach_propensity else p, *clip)
    norm = "self" if self_normalise else "entire"
    extra = max(c.size, 1) if extra_batch_mean else 1
    terms = {"ctr": mean(bce(p, c)), "ctcvr": mean(bce(p * q, v))}
    if not conversion_head:
        return {**terms, "cvr_clicked": _weighted(bce(q, v), 1.0 / pi, clicked, norm) / extra}
    a, a_sg = sigmoid(logits["conversion"]), sigmoid(z_sg["conversion"])
    y = np.where(v == 1.0, 1.0, a_sg) if soft_label == "dynamic" else v
    return {
        **terms,
        "conversion": mean(c * bce(a, v)),
        "cvr_clicked": _weighted(bce(q, y), 1.0 / pi, clicked, norm) / extra,
        "cvr_unclicked": _weighted(bce(q, a_sg), 1.0 / (1.0 - pi), ~clicked, norm) / extra,
    }


def nise(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    pseudo: str = "self_attached",
    alpha: float = 1.0,
    beta: float = 50.0,
    fixed_weight: float | None = None,
    unclicked: bool = True,
    ctr_task: bool = True,
    earlier: Array | None = None,
    frozen: Logits | None = None,
) -> Terms:
    """NISE: ``ctr``, ``cvr`` = W L_cvr with W held, ``teacher`` for a click tower.

    The pseudo-label is q itself, attached or not; ``earlier`` (probabilities of an averaged or
    previous model); or the detached click-space tower in head ``teacher``. W is ``fixed_weight``
    if given, 1 without a CTR task, else alpha min(L_ctr / L_cvr, beta).
    """
    kinds = ("self_attached", "self_detached", "ema", "previous_epoch", "click_tower")
    _one_of("pseudo", pseudo, kinds)
    c, v, _ = _labels(click, conv)
    z_sg = _frozen(logits, frozen)
    p, q = sigmoid(logits["ctr"]), sigmoid(logits["cvr"])

    def cvr_loss(q: Array) -> float:
        target = q
        if pseudo == "self_detached":
            target = sigmoid(z_sg["cvr"])
        elif pseudo == "click_tower":
            target = sigmoid(z_sg["teacher"])
        elif pseudo != "self_attached":
            if earlier is None:
                raise ValueError(f"pseudo={pseudo!r} needs earlier predictions")
            target = earlier
        off = mean((1.0 - c) * bce(q, target)) if unclicked else 0.0
        return mean(c * bce(q, v)) + off

    weight = 1.0
    if fixed_weight is not None:
        weight = fixed_weight
    elif ctr_task:
        held = cvr_loss(sigmoid(z_sg["cvr"]))
        ratio = mean(bce(sigmoid(z_sg["ctr"]), c)) / held if held > 0.0 else beta
        weight = alpha * min(ratio, beta)
    terms = {"cvr": weight * cvr_loss(q)}
    if ctr_task:
        terms["ctr"] = mean(bce(p, c))
    if pseudo == "click_tower":
        terms["teacher"] = mean(c * bce(sigmoid(logits["teacher"]), v))
    return terms
