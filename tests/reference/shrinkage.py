"""Reference of DRos and DRps (Su et al. 2020), row by row. Conventions as in ``losses``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .losses import Logits, Terms, _frozen, _labels, _one_of, bce, mean, sigmoid

Clip = tuple[float, float]


def shrunk_weight(w: float, lam: float | None, form: str) -> float:
    """lambda w / (w^2 + lambda), or min(w, lambda); w itself if ``lam`` is None.

    >>> shrunk_weight(3.0, 9.0, "optimistic"), shrunk_weight(3.0, 2.0, "pessimistic")
    (1.5, 2.0)
    """
    _one_of("form", form, ("optimistic", "pessimistic"))
    if lam is None:
        return w
    return lam * w / (w * w + lam) if form == "optimistic" else min(w, lam)


def dros(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    shrinkage: float | None = 1000.0,
    form: str = "optimistic",
    imputation_weighting: str = "none",
    clip: Clip = (0.01, 0.99),
    detach_propensity: bool = True,
    frozen: Logits | None = None,
) -> Terms:
    """Terms ``ctr``, ``cvr`` = mean_D[m + c w'(e - m)], ``imputation`` = weighted mean_C[l(a; v)].

    An unclicked row contributes m alone, a clicked one (1 - w') m + w' e.
    """
    _one_of("imputation_weighting", imputation_weighting, ("none", "inverse", "squared"))
    c, v, clicked = _labels(click, conv)
    z_sg = _frozen(logits, frozen)
    p, q, a = (sigmoid(logits[head]) for head in ("ctr", "cvr", "imputation"))
    fixed = np.clip(sigmoid(z_sg["ctr"]), *clip)
    pi = fixed if detach_propensity else np.clip(p, *clip)
    m, e = bce(q, sigmoid(z_sg["imputation"])), bce(q, v)
    rows = np.array(m)
    for i in np.flatnonzero(clicked):
        w = shrunk_weight(float(1.0 / pi[i]), shrinkage, form)
        rows[i] = (1.0 - w) * m[i] + w * e[i]
    z = fixed ** -{"none": 0.0, "inverse": 1.0, "squared": 2.0}[imputation_weighting]
    total = float(z[clicked].sum())
    fit = float((z * bce(a, v))[clicked].sum()) / total if clicked.any() else 0.0
    return {"ctr": mean(bce(p, c)), "cvr": mean(rows), "imputation": fit}
