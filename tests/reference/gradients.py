"""Hand-derived gradients of the reference terms with respect to each row's logit.

A third route beside the loss formulas and finite differences: full-length row coefficients
instead of subset means. All functions return ``gradient[term][head]``, every head present.
Stop-gradients are at the same point as the logits. Identities used, with a = sigmoid(z):

* d l(a; y)/dz = a - y, also for a soft y;
* with t = p*q, d l(t; y)/dz_p = (t - y)(1 - p)/(1 - t), and the same with q for z_q;
* a weighted mean sum(k l)/Z has d/dz_cvr = k (a - y)/Z; if the weight is attached,
  d/dz_ctr = k' l/Z, or k' (l - mean)/Z when Z = sum(k).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from .losses import Array, Logits, bce, sigmoid

Gradients = dict[str, dict[str, Array]]


def _rows(click: ArrayLike, conv: ArrayLike) -> tuple[Array, Array]:
    c = np.asarray(click, dtype=np.float64)
    return c, c * np.asarray(conv, dtype=np.float64)


def _complete(sparse: Gradients, heads: Iterable[str], n: int) -> Gradients:
    """Fill the heads a term does not reach with zeros."""
    names = list(heads)
    return {t: {h: g.get(h, np.zeros(n)) for h in names} for t, g in sparse.items()}


def _product(p: Array, q: Array, y: Array) -> tuple[Array, Array]:
    """Gradients of mean_D[l(p*q; y)] for the logits of p and of q."""
    t = p * q
    common = (t - y) / (1.0 - t) / max(len(y), 1)
    return common * (1.0 - p), common * (1.0 - q)


def _weights(p: Array, clip: tuple[float, float], space: str) -> tuple[Array, Array]:
    """Inverse propensity of a space and its derivative in the CTR logit (0 where clipped)."""
    pi = np.clip(p, *clip)
    slope = np.where((p > clip[0]) & (p < clip[1]), p * (1.0 - p), 0.0)
    if space == "click":
        return 1.0 / pi, -slope / pi**2
    return 1.0 / (1.0 - pi), slope / (1.0 - pi) ** 2


def _weighted(
    a: Array, y: Array, mask: Array, weight: Array, slope: Array, norm: str
) -> tuple[Array, Array]:
    """Gradients of a weighted cross-entropy for the head's own logit and for the CTR logit."""
    k = mask * weight
    size = {"clicked": mask.sum(), "entire": float(mask.size), "self": k.sum()}[norm]
    if size == 0:
        return np.zeros_like(a), np.zeros_like(a)
    loss = bce(a, y)
    centre = float((k * loss).sum() / size) if norm == "self" else 0.0
    return k * (a - y) / size, mask * slope * (loss - centre) / size


def naive_gradients(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    reduction: str = "mean_clicked",
    rank_weight: float = 0.0,
    list_weight: float = 0.0,
) -> Gradients:
    """Gradients of the click-space baseline terms.

    Of a pair -+ sigmoid(z_j - z_i); of a list a row's softmax less its share of the converters.
    """
    c, v = _rows(click, conv)
    p, q = sigmoid(logits["ctr"]), sigmoid(logits["cvr"])
    size = c.sum() if reduction == "mean_clicked" else c.size
    found = {"ctr": {"ctr": (p - c) / max(c.size, 1)}, "cvr": {"cvr": c * (q - v) / max(size, 1)}}
    if list_weight:
        softmax = c * np.exp(logits["cvr"])
        among = softmax / max(softmax.sum(), 1e-300) - c * v / max((c * v).sum(), 1)
        found["list"] = {"cvr": among * ((c * v).sum() > 0)}
    if rank_weight:
        z, pair = logits["cvr"], np.outer(c * v, c * (1 - v))
        wrong = pair * sigmoid(z[None, :] - z[:, None]) / max(pair.sum(), 1)
        found["rank"] = {"cvr": wrong.sum(axis=0) - wrong.sum(axis=1)}
    return _complete(found, logits, c.size)


def esmm_gradients(logits: Logits, click: ArrayLike, conv: ArrayLike) -> Gradients:
    """Gradients of the ESMM terms."""
    c, v = _rows(click, conv)
    p, q = sigmoid(logits["ctr"]), sigmoid(logits["cvr"])
    product = dict(zip(("ctr", "cvr"), _product(p, q, v), strict=True))
    return _complete({"ctr": {"ctr": (p - c) / max(c.size, 1)}, "ctcvr": product}, logits, c.size)


def escm2_ipw_gradients(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: tuple[float, float] = (0.01, 0.99),
    ipw_norm: str = "entire",
    detach_propensity: bool = True,
) -> Gradients:
    """Gradients of the ESCM2-IPW terms; every ``ipw_norm`` but ``released``."""
    c, v = _rows(click, conv)
    p, q = sigmoid(logits["ctr"]), sigmoid(logits["cvr"])
    own, through = _weighted(q, v, c, *_weights(p, clip, "click"), ipw_norm)
    ipw = {"cvr": own} if detach_propensity else {"cvr": own, "ctr": through}
    return {
        **esmm_gradients(logits, click, conv),
        **_complete({"cvr_ipw": ipw}, logits, c.size),
    }


def choruscvr_gradients(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: tuple[float, float] = (0.01, 0.99),
    ipw_norm: str = "clicked",
    ipw_cvr: bool = True,
    ipw_uncvr: bool = True,
    tie_uncvr: bool = False,
    detach_propensity: bool = True,
) -> Gradients:
    """Gradients of all nine ChorusCVR terms; tied heads fold the unCVR part into ``cvr``."""
    c, v = _rows(click, conv)
    u, n = 1.0 - c, c.size
    p, q = sigmoid(logits["ctr"]), sigmoid(logits["cvr"])
    w = 1.0 - q if tie_uncvr else sigmoid(logits["uncvr"])
    plain = (np.ones(n), np.zeros(n))
    on, off = _weights(p, clip, "click"), _weights(p, clip, "non-click")
    weighted = {
        "cvr_ipw": ("cvr", q, v, c, on if ipw_cvr else plain),
        "uncvr_ipw": ("uncvr", w, 1.0 - v, c, on if ipw_uncvr else plain),
        "align_cvr_clicked": ("cvr", q, 1.0 - w, c, on),
        "align_cvr_unclicked": ("cvr", q, 1.0 - w, u, off),
        "align_uncvr_clicked": ("uncvr", w, 1.0 - q, c, on),
        "align_uncvr_unclicked": ("uncvr", w, 1.0 - q, u, off),
    }
    result: Gradients = {
        "ctr": {"ctr": (p - c) / max(n, 1)},
        "ctcvr": dict(zip(("ctr", "cvr"), _product(p, q, v), strict=True)),
        "ctuncvr": dict(zip(("ctr", "uncvr"), _product(p, w, c * (1.0 - v)), strict=True)),
    }
    for term, (head, a, y, mask, (weight, slope)) in weighted.items():
        own, through = _weighted(a, y, mask, weight, slope, ipw_norm)
        result[term] = {head: own} if detach_propensity else {head: own, "ctr": through}
    full = _complete(result, ("ctr", "cvr", "uncvr"), n)
    if tie_uncvr:
        for gradients in full.values():
            gradients["cvr"] = gradients["cvr"] - gradients.pop("uncvr")
    return full


def evi_gradients(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: tuple[float, float] = (0.001, 0.999),
    teacher_space: str = "entire",
    unclicked_weight: float = 1.0,
    half: bool = True,
    detach_propensity: bool = True,
) -> Gradients:
    """Gradients of the EVI terms except VIE."""
    c, v = _rows(click, conv)
    n = c.size
    p, q, g = sigmoid(logits["ctr"]), sigmoid(logits["cvr"]), sigmoid(logits["teacher"])
    on = _weighted(q, v, c, *_weights(p, clip, "click"), "entire")
    off = _weighted(q, g, 1.0 - c, *_weights(p, clip, "non-click"), "entire")
    scale = 0.5 if half else 1.0
    own, through = (scale * (a + unclicked_weight * b) for a, b in zip(on, off, strict=True))
    rows = np.ones(n) if teacher_space == "entire" else c
    result: Gradients = {
        "ctr": {"ctr": (p - c) / max(n, 1)},
        "teacher": {"teacher": rows * (g - v) / max(n, 1)},
        "cvr": {"cvr": own} if detach_propensity else {"cvr": own, "ctr": through},
        "ctcvr": dict(zip(("ctr", "cvr"), _product(p, q, v), strict=True)),
    }
    return _complete(result, logits, n)
