"""Second, independent implementation of the loss terms, for use as a test oracle.

Plain float64 numpy in probability space, subset by subset, straight from the published formulas.
It shares no code with the library and takes the other numerical route, so it expects moderate
logits (|z| below about 15). Only propensities are clipped.

Every function takes logits per head (shape ``[n]``), clicks and recorded conversions (0/1, shape
``[n]``) and returns unweighted scalar terms by name. ``frozen`` holds the logits to use wherever
the formula has a stop-gradient (propensities in weights, pseudo-labels); heads missing from it,
or all if it is None, use the live logits. Finite differences with ``frozen`` held at the base
point are therefore the exact gradient under stop-gradient. Means over empty subsets are 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Logits = Mapping[str, Array]
Terms = dict[str, float]
VIEPair = tuple[Array, Array, Array]


def sigmoid(z: Array) -> Array:
    """Probability of a logit."""
    return np.asarray(1.0 / (1.0 + np.exp(-z)), dtype=np.float64)


def bce(a: Array, y: Array) -> Array:
    """Positive binary cross-entropy of probability ``a`` against a hard or soft target ``y``."""
    return np.asarray(-(y * np.log(a) + (1.0 - y) * np.log(1.0 - a)), dtype=np.float64)


def mean(z: Array) -> float:
    """Mean over all entries, 0 if there are none."""
    return float(z.sum() / z.size) if z.size else 0.0


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}={value!r}, expected one of {', '.join(allowed)}")


def _labels(click: ArrayLike, conv: ArrayLike) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Clicks, conversions (0 off-click by definition) and the clicked-row mask."""
    c = np.asarray(click, dtype=np.float64)
    return c, c * np.asarray(conv, dtype=np.float64), c == 1.0


def _frozen(logits: Logits, frozen: Logits | None) -> dict[str, Array]:
    return {**logits, **(frozen or {})}


def _weighted(loss: Array, weight: Array, rows: NDArray[np.bool_], norm: str) -> float:
    """Weighted loss over the subset ``rows``: 1/|subset|, 1/n, or weights summing to 1."""
    _one_of("ipw_norm", norm, ("clicked", "entire", "self"))
    n, loss, weight = rows.size, loss[rows], weight[rows]
    if loss.size == 0:
        return 0.0
    total = float((weight * loss).sum())
    if norm == "self":
        return total / float(weight.sum())
    return total / (loss.size if norm == "clicked" else n)


def naive(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    reduction: str = "mean_clicked",
    rank_weight: float = 0.0,
    list_weight: float = 0.0,
    ctr_task: bool = True,
    frozen: Logits | None = None,
) -> Terms:
    """Click-space CVR, with 1/|C| or 1/|D| (ChorusCVR Eq 2, EVI Eq 2).

    Terms: ``ctr`` (absent without ``ctr_task``), ``cvr``, ``rank`` and ``list`` if they weigh
    something. Nothing is detached, so ``frozen`` is accepted for a uniform signature only.

    >>> zero = np.zeros(4)
    >>> terms = naive({"ctr": zero, "cvr": zero}, [1, 0, 0, 0], [1, 0, 0, 0])
    >>> round(terms["cvr"], 6)
    0.693147
    """
    _one_of("reduction", reduction, ("mean_clicked", "mean_entire"))
    c, v, clicked = _labels(click, conv)
    loss = bce(sigmoid(logits["cvr"]), v)
    cvr = mean(loss[clicked]) if reduction == "mean_clicked" else mean(c * loss)
    ctr = {"ctr": mean(bce(sigmoid(logits["ctr"]), c))} if ctr_task else {}
    rank = {"rank": pairwise(logits["cvr"], c, v)} if rank_weight else {}
    listed = {"list": listwise(logits["cvr"], c, v)} if list_weight else {}
    return {**ctr, "cvr": cvr, **rank, **listed}


def listwise(z: Array, c: Array, v: Array) -> float:
    """-ln of each clicked converter's softmax among clicks, mean over them, less ln of the clicks.

    >>> round(listwise(np.array([1.0, 0.0, 9.0]), np.array([1, 1, 0]), np.array([1, 0, 0])), 6)
    -0.379885
    """
    among = np.exp(z[c == 1])
    found = [-np.log(np.exp(x) / among.sum()) - np.log(among.size) for x in z[(c == 1) & (v == 1)]]
    return float(sum(found) / len(found)) if found else 0.0


def pairwise(z: Array, c: Array, v: Array) -> float:
    """-ln sigmoid(z_i - z_j), pair by pair: i clicked and converted, j clicked and not.

    >>> round(pairwise(np.array([1.0, 0.0, 9.0]), np.array([1, 1, 0]), np.array([1, 0, 0])), 6)
    0.313262
    """
    converted = [i for i in range(len(z)) if c[i] == 1 and v[i] == 1]
    others = [j for j in range(len(z)) if c[j] == 1 and v[j] == 0]
    pairs = [-np.log(1.0 / (1.0 + np.exp(z[j] - z[i]))) for i in converted for j in others]
    return float(sum(pairs) / len(pairs)) if pairs else 0.0


def esmm(
    logits: Logits, click: ArrayLike, conv: ArrayLike, *, frozen: Logits | None = None
) -> Terms:
    """ESMM: terms ``ctr`` and ``ctcvr``, nothing detached (EVI Eq 4 and 5)."""
    c, v, _ = _labels(click, conv)
    p, q = sigmoid(logits["ctr"]), sigmoid(logits["cvr"])
    return {"ctr": mean(bce(p, c)), "ctcvr": mean(bce(p * q, c * v))}


def escm2_ipw(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: tuple[float, float] = (0.01, 0.99),
    ipw_norm: str = "entire",
    detach_propensity: bool = True,
    frozen: Logits | None = None,
) -> Terms:
    """ESCM2-IPW: terms ``ctr``, ``cvr_ipw``, ``ctcvr`` (as quoted in EVI Eq 6).

    ``ipw_norm``: ``entire`` mean_D[c l/pi], ``clicked`` mean_C[l/pi], ``self`` weights summing to
    1, ``released`` the authors' weight n*min(1/(p*n_C), 15) averaged over D (floor ``clip[0]``).
    """
    c, v, clicked = _labels(click, conv)
    live = sigmoid(logits["ctr"])
    p = sigmoid(_frozen(logits, frozen)["ctr"]) if detach_propensity else live
    loss = bce(sigmoid(logits["cvr"]), v)
    if ipw_norm == "released":
        n_clicked = max(int(clicked.sum()), 1)
        weight = c.size * np.minimum(1.0 / (np.maximum(p, clip[0]) * n_clicked), 15.0)
        cvr_ipw = mean(c * weight * loss)
    else:
        cvr_ipw = _weighted(loss, 1.0 / np.clip(p, *clip), clicked, ipw_norm)
    base = esmm(logits, click, conv)
    return {"ctr": base["ctr"], "cvr_ipw": cvr_ipw, "ctcvr": base["ctcvr"]}


def choruscvr(
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
    frozen: Logits | None = None,
) -> Terms:
    """ChorusCVR Eq 2, 3, 4, 7, 9 and the four summands of Eq 10, each under its own name.

    Heads ``ctr``, ``cvr``, ``uncvr``; with ``tie_uncvr`` the last is minus the ``cvr`` logit and
    need not be given. ``ipw_norm`` acts on the two IPW terms and the four alignment terms:
    ``clicked`` mean_C / mean_U (literal), ``entire`` all over n, ``self`` weights summing to 1
    per subset. An unweighted CVR or unCVR term is mean_C, or mean_D[c l] for ``entire``.
    """
    c, v, clicked = _labels(click, conv)
    z, z_sg = dict(logits), _frozen(logits, frozen)
    if tie_uncvr:
        z["uncvr"], z_sg["uncvr"] = -z["cvr"], -z_sg["cvr"]
    p, q, w = sigmoid(z["ctr"]), sigmoid(z["cvr"]), sigmoid(z["uncvr"])
    q_sg, w_sg = sigmoid(z_sg["cvr"]), sigmoid(z_sg["uncvr"])
    pi = np.clip(sigmoid(z_sg["ctr"]) if detach_propensity else p, *clip)
    on, off, one = 1.0 / pi, 1.0 / (1.0 - pi), np.ones_like(pi)
    return {
        "ctr": mean(bce(p, c)),
        "ctcvr": mean(bce(p * q, c * v)),
        "cvr_ipw": _weighted(bce(q, v), on if ipw_cvr else one, clicked, ipw_norm),
        "ctuncvr": mean(bce(p * w, c * (1.0 - v))),
        "uncvr_ipw": _weighted(bce(w, 1.0 - v), on if ipw_uncvr else one, clicked, ipw_norm),
        "align_cvr_clicked": _weighted(bce(q, 1.0 - w_sg), on, clicked, ipw_norm),
        "align_cvr_unclicked": _weighted(bce(q, 1.0 - w_sg), off, ~clicked, ipw_norm),
        "align_uncvr_clicked": _weighted(bce(w, 1.0 - q_sg), on, clicked, ipw_norm),
        "align_uncvr_unclicked": _weighted(bce(w, 1.0 - q_sg), off, ~clicked, ipw_norm),
    }


def evi(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: tuple[float, float] = (0.001, 0.999),
    teacher_space: str = "entire",
    unclicked_weight: float = 1.0,
    half: bool = True,
    detach_propensity: bool = True,
    frozen: Logits | None = None,
) -> Terms:
    """EVI Eq 12 to 15: terms ``ctr``, ``teacher``, ``cvr``, ``ctcvr``.

    Heads ``ctr``, ``cvr`` (student), ``teacher``. ``teacher_space``: ``entire`` fits recorded
    labels on all rows, ``click`` is mean_D[c l(g; v)]. ``half`` keeps the 1/2 of Eq 15.
    """
    _one_of("teacher_space", teacher_space, ("entire", "click"))
    c, v, _ = _labels(click, conv)
    z_sg = _frozen(logits, frozen)
    p, q, g = sigmoid(logits["ctr"]), sigmoid(logits["cvr"]), sigmoid(logits["teacher"])
    pi = np.clip(sigmoid(z_sg["ctr"]) if detach_propensity else p, *clip)
    fit = bce(g, v)
    clicked = mean(c * bce(q, v) / pi)
    unclicked = mean((1.0 - c) * bce(q, sigmoid(z_sg["teacher"])) / (1.0 - pi))
    return {
        "ctr": mean(bce(p, c)),
        "teacher": mean(fit if teacher_space == "entire" else c * fit),
        "cvr": (0.5 if half else 1.0) * (clicked + unclicked_weight * unclicked),
        "ctcvr": mean(bce(p * q, c * v)),
    }


def evi_vie(
    pairs: Sequence[VIEPair], *, reduction: str = "mean", softplus_is: str = "variance"
) -> float:
    """Variational information term, EVI Eq 11, summed over matched layers.

    ``pairs``: per layer (teacher activations ``[n, m]``, projected student mean ``[n, m]``, rho
    ``[m]``). Mean over rows, then ``reduction`` over neurons. ``softplus_is``: whether
    softplus(rho) + 1e-3 is the variance or the standard deviation.
    """
    _one_of("reduction", reduction, ("mean", "sum"))
    _one_of("softplus_is", softplus_is, ("variance", "std"))
    total = 0.0
    for teacher, mu, rho in pairs:
        positive = np.log(1.0 + np.exp(rho)) + 1e-3
        s2 = positive if softplus_is == "variance" else positive * positive
        value = 0.5 * np.log(s2) + (teacher - mu) ** 2 / (2.0 * s2)
        total += mean(value) * (1 if reduction == "mean" else value.shape[1])
    return total
