"""Central finite differences of loss terms with respect to each logit of each head."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TermFunction = Callable[[dict[str, Array]], Mapping[str, float]]


def finite_difference_terms(
    fn: TermFunction, logits: Mapping[str, Array], h: float = 1e-6
) -> dict[str, dict[str, Array]]:
    """Differences of every named term at once: ``result[term][head]``, shaped like the head.

    To get gradients under stop-gradient, ``fn`` must hold ``frozen`` at the base point.
    """
    z = {head: np.array(value, dtype=np.float64) for head, value in logits.items()}
    result = {t: {head: np.zeros_like(a) for head, a in z.items()} for t in fn(z)}
    for head, value in z.items():
        for i in np.ndindex(value.shape):
            base = value[i]
            value[i] = base + h
            high = dict(fn(z))
            value[i] = base - h
            low = dict(fn(z))
            value[i] = base
            for term, gradients in result.items():
                gradients[head][i] = (high[term] - low[term]) / (2.0 * h)
    return result


def finite_difference_gradient(
    fn: Callable[[dict[str, Array]], float], logits: Mapping[str, Array], h: float = 1e-6
) -> dict[str, Array]:
    """Differences of a scalar function of per-head arrays, by head.

    >>> g = finite_difference_gradient(lambda z: float((z["cvr"] ** 2).sum()), {"cvr": np.ones(2)})
    >>> [round(float(x), 6) for x in g["cvr"]]
    [2.0, 2.0]
    """
    return finite_difference_terms(lambda z: {"": fn(z)}, logits, h)[""]
