"""Reference of the simple baselines: MMOE, AITM, CTnoCVR, Multi-IPW, SNIPS, clipped IPS.

Conventions as in ``losses``: float64, probability space, unweighted terms by name, ``frozen``
logits wherever the formula has a stop-gradient.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .losses import (
    Array,
    Logits,
    Terms,
    _frozen,
    _labels,
    _one_of,
    _weighted,
    bce,
    mean,
    naive,
    sigmoid,
)

Clip = tuple[float, float]


def mmoe(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    reduction: str = "mean_clicked",
    rank_weight: float = 0.0,
    list_weight: float = 0.0,
    frozen: Logits | None = None,
) -> Terms:
    """MMOE: the naive losses, only the network differs. Terms ``ctr``, ``cvr``."""
    rank = {"rank_weight": rank_weight, "list_weight": list_weight}
    return naive(logits, click, conv, reduction=reduction, frozen=frozen, **rank)


def anchor(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    reduction: str = "mean_clicked",
    rank_weight: float = 0.0,
    list_weight: float = 0.0,
    frozen: Logits | None = None,
) -> Terms:
    """Anchor: the naive losses on a CVR logit that has the anchor in it. Terms ``ctr``, ``cvr``."""
    rank = {"rank_weight": rank_weight, "list_weight": list_weight}
    return naive(logits, click, conv, reduction=reduction, frozen=frozen, **rank)


def anchored(ctr: Array, cvr: Array, a: float, rate: float) -> Array:
    """The CVR logit of Anchor: ``cvr`` + 10 a (``ctr`` - logit of the CTR ``rate``).

    >>> anchored(np.array([1.0]), np.array([-2.0]), 0.05, 0.5)
    array([-1.5])
    """
    return np.asarray(cvr + 10.0 * a * (ctr - np.log(rate / (1.0 - rate))), dtype=np.float64)


def aitm(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    head: str = "ctcvr",
    constraint_reduction: str = "sum",
    frozen: Logits | None = None,
) -> Terms:
    """AITM: terms ``ctr``, ``ctcvr`` or ``cvr`` after ``head``, ``constraint``.

    The original fits y to c*v over D and punishes y > p over D. With a CVR head the loss is
    click-masked over D (as EVI's naive CVR, Eq 2) and so is the punishment of q > p.

    >>> p, y = np.log(np.array([1.0, 0.25])), np.zeros(2)  # probabilities .5, .2 and .5, .5
    >>> terms = aitm({"ctr": p, "ctcvr": y}, [1, 0], [1, 0])
    >>> round(terms["constraint"], 6)
    0.3
    """
    _one_of("head", head, ("ctcvr", "cvr"))
    _one_of("constraint_reduction", constraint_reduction, ("sum", "mean"))
    c, v, _ = _labels(click, conv)
    p, y = sigmoid(logits["ctr"]), sigmoid(logits[head])
    excess = np.maximum(y - p, 0.0)
    if head == "cvr":
        excess = c * excess
        fit = mean(c * bce(y, v))
    else:
        fit = mean(bce(y, c * v))
    constraint = float(excess.sum()) if constraint_reduction == "sum" else mean(excess)
    return {"ctr": mean(bce(p, c)), head: fit, "constraint": constraint}


def ctnocvr(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    detach_ctr_in_ctcvr: bool = False,
    frozen: Logits | None = None,
) -> Terms:
    """CTnoCVR: ESMM's terms ``ctr`` and ``ctcvr``, and ``ctnocvr`` = mean_D[l(p(1-q); c(1-v))]."""
    c, v, _ = _labels(click, conv)
    p, q = sigmoid(logits["ctr"]), sigmoid(logits["cvr"])
    factor = sigmoid(_frozen(logits, frozen)["ctr"]) if detach_ctr_in_ctcvr else p
    return {
        "ctr": mean(bce(p, c)),
        "ctcvr": mean(bce(factor * q, c * v)),
        "ctnocvr": mean(bce(factor * (1.0 - q), c * (1.0 - v))),
    }


def multi_ipw(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: Clip = (0.01, 0.99),
    ipw_norm: str = "entire",
    detach_propensity: bool = True,
    frozen: Logits | None = None,
) -> Terms:
    """Multi-IPW: ESCM2-IPW without its CTCVR term. Terms ``ctr``, ``cvr``."""
    c, v, clicked = _labels(click, conv)
    p, q = sigmoid(logits["ctr"]), sigmoid(logits["cvr"])
    pi = np.clip(sigmoid(_frozen(logits, frozen)["ctr"]) if detach_propensity else p, *clip)
    return {"ctr": mean(bce(p, c)), "cvr": _weighted(bce(q, v), 1.0 / pi, clicked, ipw_norm)}


def snips(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: Clip = (0.01, 0.99),
    detach_propensity: bool = True,
    extra_batch_mean: bool = False,
    frozen: Logits | None = None,
) -> Terms:
    """SNIPS: terms ``ctr``, ``cvr`` = sum_C[l/pi] / sum_C[1/pi], over n once more if asked.

    EVI's repository: ``extra_batch_mean``, clip 1e-7, nothing detached.
    """
    terms = multi_ipw(
        logits,
        click,
        conv,
        clip=clip,
        ipw_norm="self",
        detach_propensity=detach_propensity,
        frozen=frozen,
    )
    n = max(np.asarray(click).size, 1)
    return {**terms, "cvr": terms["cvr"] / (n if extra_batch_mean else 1)}


def clipped_ips(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    floor: float = 0.05,
    detach_propensity: bool = True,
    frozen: Logits | None = None,
) -> Terms:
    """Clipped IPS: terms ``ctr``, ``cvr`` = mean_D[c l / max(p, floor)], no upper clip."""
    return multi_ipw(
        logits,
        click,
        conv,
        clip=(floor, 1.0),
        detach_propensity=detach_propensity,
        frozen=frozen,
    )


def tempered_ips(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    alpha: float = 0.5,
    clip: Clip = (0.01, 0.99),
    ipw_norm: str = "self",
    detach_propensity: bool = True,
    frozen: Logits | None = None,
) -> Terms:
    """Tempered IPS: terms ``ctr``, ``cvr`` with weights exp(-alpha ln pi) on clicked rows."""
    c, v, clicked = _labels(click, conv)
    p, q = sigmoid(logits["ctr"]), sigmoid(logits["cvr"])
    pi = np.clip(sigmoid(_frozen(logits, frozen)["ctr"]) if detach_propensity else p, *clip)
    weight = np.exp(-alpha * np.log(pi))
    return {"ctr": mean(bce(p, c)), "cvr": _weighted(bce(q, v), weight, clicked, ipw_norm)}
