"""Reference of the doubly robust methods: Multi-DR, ESCM2-DR, DR-JL, MRDR, DR-BIAS, DR-MSE.

Two kinds of imputation. An *error* head predicts e = l(q; v) itself. A *label* head a predicts
the conversion, and the imputed error is m = l(q; a). Conventions as in ``losses``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from .losses import Array, Logits, Terms, _frozen, _labels, _one_of, _weighted, bce, mean, sigmoid

Clip = tuple[float, float]


def softplus(z: Array) -> Array:
    """ln(1 + exp z), for moderate z."""
    return np.asarray(np.log(1.0 + np.exp(z)), dtype=np.float64)


def doubly_robust(m: Array, e: Array, weight: Array, *, absolute: bool = False) -> float:
    """mean_D[m + weight (e - m)]; ``absolute`` takes |e - m|, as EVI's repository does."""
    gap = e - m
    return mean(m + weight * (np.abs(gap) if absolute else gap))


def _error_terms(
    logits: Logits,
    z_sg: Logits,
    v: Array,
    weight: Array,
    *,
    detach_mode: str,
    activation: str,
    absolute: bool,
) -> Terms:
    """``cvr`` and ``imputation`` with a predicted error."""
    _one_of("detach_mode", detach_mode, ("sound", "released"))
    _one_of("imputation_activation", activation, ("sigmoid", "softplus"))
    predict = sigmoid if activation == "sigmoid" else softplus
    m, m_sg = predict(logits["imputation"]), predict(z_sg["imputation"])
    e, e_sg = bce(sigmoid(logits["cvr"]), v), bce(sigmoid(z_sg["cvr"]), v)
    if detach_mode == "released":
        m_sg, e_sg = m, e
    return {
        "cvr": doubly_robust(m_sg, e, weight, absolute=absolute),
        "imputation": mean(weight * (e_sg - m) ** 2),
    }


def _label_terms(logits: Logits, z_sg: Logits, v: Array, weight: Array) -> Terms:
    """``cvr`` with the gradient through m = l(q; sg a), ``imputation`` with q detached."""
    q, q_sg = sigmoid(logits["cvr"]), sigmoid(z_sg["cvr"])
    a, a_sg = sigmoid(logits["imputation"]), sigmoid(z_sg["imputation"])
    return {
        "cvr": doubly_robust(bce(q, a_sg), bce(q, v), weight),
        "imputation": mean(weight * (bce(q_sg, a) - bce(q_sg, v)) ** 2),
    }


def multi_dr(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: Clip = (0.01, 0.99),
    detach_propensity: bool = True,
    detach_mode: str = "sound",
    imputation: str = "error",
    imputation_activation: str = "sigmoid",
    max_weight: float | None = None,
    absolute: bool = False,
    frozen: Logits | None = None,
) -> Terms:
    """Multi-DR: terms ``ctr``, ``cvr`` (L_err), ``imputation`` (L_imp).

    ``sound`` detaches m in L_err and e in L_imp, ``released`` neither. ``max_weight`` caps c/pi.
    """
    _one_of("imputation", imputation, ("error", "label"))
    c, v, _ = _labels(click, conv)
    z_sg = _frozen(logits, frozen)
    p = sigmoid(logits["ctr"])
    weight = c / np.clip(sigmoid(z_sg["ctr"]) if detach_propensity else p, *clip)
    if max_weight is not None:
        weight = np.minimum(weight, max_weight)
    if imputation == "label":
        terms = _label_terms(logits, z_sg, v, weight)
    else:
        terms = _error_terms(
            logits,
            z_sg,
            v,
            weight,
            detach_mode=detach_mode,
            activation=imputation_activation,
            absolute=absolute,
        )
    return {"ctr": mean(bce(p, c)), **terms}


def escm2_dr(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: Clip = (0.01, 0.99),
    detach_propensity: bool = True,
    detach_mode: str = "sound",
    imputation: str = "error",
    imputation_activation: str = "sigmoid",
    max_weight: float | None = None,
    absolute: bool = False,
    frozen: Logits | None = None,
) -> Terms:
    """ESCM2-DR: the terms of ``multi_dr`` and ``ctcvr``.

    EVI's repository: ``absolute``, everything attached, clip 1e-7.
    """
    c, v, _ = _labels(click, conv)
    terms = multi_dr(
        logits,
        click,
        conv,
        clip=clip,
        detach_propensity=detach_propensity,
        detach_mode=detach_mode,
        imputation=imputation,
        imputation_activation=imputation_activation,
        max_weight=max_weight,
        absolute=absolute,
        frozen=frozen,
    )
    p, q = sigmoid(logits["ctr"]), sigmoid(logits["cvr"])
    return {**terms, "ctcvr": mean(bce(p * q, c * v))}


def imputation_weight(kind: str, p: Array, bias_weight: float = 0.5) -> Array:
    """Weight of a clicked row in the imputation step of each method."""
    bias, variance = (1.0 - p) ** 2 / p**3, (1.0 - p) / p**2
    return {
        "dr_jl": 1.0 / p,
        "mrdr": variance,
        "dr_bias": bias,
        "dr_mse": bias_weight * bias + (1.0 - bias_weight) * variance,
    }[kind]


def _imputed_labels(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    kind: str,
    clip: Clip = (0.01, 0.99),
    detach_propensity: bool = True,
    imputation_loss: str = "squared",
    imputation_norm: str = "entire",
    bias_weight: float = 0.5,
    frozen: Logits | None = None,
) -> Terms:
    """Terms ``ctr``, ``cvr`` = L_pred, ``imputation`` on clicked rows, where only a is attached.

    ``squared`` is (e - m)^2, ``ce`` the l(a; v) of the released code.
    """
    _one_of("imputation_loss", imputation_loss, ("squared", "ce"))
    _one_of("imputation_norm", imputation_norm, ("entire", "clicked"))
    c, v, clicked = _labels(click, conv)
    z_sg = _frozen(logits, frozen)
    p, q, a = (sigmoid(logits[head]) for head in ("ctr", "cvr", "imputation"))
    q_sg, a_sg = sigmoid(z_sg["cvr"]), sigmoid(z_sg["imputation"])
    pi_sg = np.clip(sigmoid(z_sg["ctr"]), *clip)
    pi = pi_sg if detach_propensity else np.clip(p, *clip)
    loss = (bce(q_sg, v) - bce(q_sg, a)) ** 2 if imputation_loss == "squared" else bce(a, v)
    loss = imputation_weight(kind, pi_sg, bias_weight) * loss
    return {
        "ctr": mean(bce(p, c)),
        "cvr": doubly_robust(bce(q, a_sg), bce(q, v), c / pi),
        "imputation": mean(loss[clicked]) if imputation_norm == "clicked" else mean(c * loss),
    }


def stable_dr(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: Clip = (0.01, 0.99),
    detach_propensity: bool = True,
    imputation_loss: str = "squared",
    imputation_norm: str = "entire",
    frozen: Logits | None = None,
) -> Terms:
    """StableDR: ``ctr`` and ``imputation`` of DR-JL, ``constraint``, ``cvr`` = SNIPS.

    In the constraint m is fixed and p is not.
    """
    shared = _imputed_labels(
        logits,
        click,
        conv,
        kind="dr_jl",
        clip=clip,
        imputation_loss=imputation_loss,
        imputation_norm=imputation_norm,
        frozen=frozen,
    )
    c, v, clicked = _labels(click, conv)
    z_sg = _frozen(logits, frozen)
    p = np.clip(sigmoid(logits["ctr"]), *clip)
    m = bce(sigmoid(z_sg["cvr"]), sigmoid(z_sg["imputation"]))
    weight = 1.0 / (np.clip(sigmoid(z_sg["ctr"]), *clip) if detach_propensity else p)
    error = bce(sigmoid(logits["cvr"]), v)
    return {
        "ctr": shared["ctr"],
        "imputation": shared["imputation"],
        "constraint": mean(c / p * (m - mean(m))) ** 2,
        "cvr": _weighted(error, weight, clicked, "self"),
    }


dr_jl: Callable[..., Terms] = partial(_imputed_labels, kind="dr_jl")
mrdr: Callable[..., Terms] = partial(_imputed_labels, kind="mrdr")
dr_bias: Callable[..., Terms] = partial(_imputed_labels, kind="dr_bias")
dr_mse: Callable[..., Terms] = partial(_imputed_labels, kind="dr_mse")
