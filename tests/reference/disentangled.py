"""Reference of DT-DR, from the formulas of the authors' code. Conventions as in ``losses``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .losses import Array, Logits, Terms, _frozen, _labels, _one_of, bce, mean, sigmoid

Clip = tuple[float, float]


def orthogonality(a: Array, b: Array) -> float:
    """Of two embeddings [rows, columns, dim]: squared mean products and mean squares, by column.

    >>> orthogonality(np.ones((3, 1, 2)), np.full((3, 1, 2), 2.0))
    6.5
    """
    if not len(a):
        return 0.0
    total = 0.0
    for f in range(a.shape[1]):
        product = a[:, f].T @ b[:, f] / len(a)
        total += float((product**2).mean())
        total += float((np.concatenate([a[:, f], b[:, f]], axis=1) ** 2).mean())
    return total


def dt_dr(
    logits: Logits,
    click: ArrayLike,
    conv: ArrayLike,
    *,
    clip: Clip = (0.01, 0.99),
    detach_propensity: bool = True,
    attach: str = "none",
    embeddings: tuple[Array, Array] | None = None,
    frozen: Logits | None = None,
) -> Terms:
    """Terms ``ctr``, ``cvr``, ``imputation``, and ``orthogonality`` where embeddings are given.

    ``all`` attaches everything: the propensity, the label in m, and q in the squared term.
    """
    _one_of("attach", attach, ("none", "all"))
    c, v, clicked = _labels(click, conv)
    z_sg = dict(logits) if attach == "all" else _frozen(logits, frozen)
    p, q, a = (sigmoid(logits[head]) for head in ("ctr", "cvr", "imputation"))
    q_sg, a_sg = sigmoid(z_sg["cvr"]), sigmoid(z_sg["imputation"])
    pi = np.clip(sigmoid(z_sg["ctr"]) if detach_propensity else p, *clip)
    e, m = bce(q, v), bce(q, a_sg)
    terms = {
        "ctr": mean(bce(p, c)),
        "cvr": mean(m + c / pi * (e - m)),
        "imputation": mean(c / pi * (bce(q_sg, v) - bce(q_sg, a)) ** 2),
    }
    if embeddings is not None:
        all_rows, clicks = orthogonality(*embeddings), [x[clicked] for x in embeddings]
        terms["orthogonality"] = all_rows + orthogonality(*clicks)
    return terms
