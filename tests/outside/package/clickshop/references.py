"""The losses again, in numpy and from probabilities: what `check_method` compares with."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _p(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-z)))


def _bce(p: Array, y: Array) -> Array:
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log(1 - p)))


def focal(
    logits: Mapping[str, Array],
    click: Array,
    conversion: Array,
    frozen: Mapping[str, Array],
    focus: float = 1.0,
) -> dict[str, float]:
    q, on = _p(logits["cvr"]), click == 1
    of_label = np.where(conversion == 1, q, 1 - q)
    loss = (1 - of_label) ** focus * _bce(q, conversion)
    return {"ctr": float(_bce(_p(logits["ctr"]), click).mean()), "cvr": float(loss[on].mean())}


def soft(
    logits: Mapping[str, Array],
    click: Array,
    conversion: Array,
    frozen: Mapping[str, Array],
    clip: tuple[float, float] = (0.01, 0.99),
    soft_weight: float = 0.5,
) -> dict[str, float]:
    q, on, n = _p(logits["cvr"]), click == 1, click.size
    pi = np.clip(_p(frozen["ctr"]), *clip)
    return {
        "ctr": float(_bce(_p(logits["ctr"]), click).mean()),
        "teacher": float(_bce(_p(logits["teacher"]), conversion)[on].mean()),
        "cvr": float((_bce(q, conversion) / pi)[on].sum() / n),
        "soft": float(_bce(q, _p(frozen["teacher"]))[~on].sum() / n),
    }
