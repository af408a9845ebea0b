"""Second implementations, written for obviousness: all pairs, and sixty decimal digits."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from itertools import combinations
from typing import Any

from numpy.typing import NDArray


def brute_auc(score: NDArray[Any], positive: NDArray[Any], negative: NDArray[Any]) -> float | None:
    """All pairs: `positive` and `negative` are the masses of a row, 0/1 for plain AUC."""
    won = 0.0
    pairs = 0.0
    for i in range(len(score)):
        for j in range(len(score)):
            mass = float(positive[i]) * float(negative[j])
            pairs += mass
            if score[i] > score[j]:
                won += mass
            elif score[i] == score[j]:
                won += mass / 2
    return won / pairs if pairs else None


def decimal_losses(zp: float, zq: float, click: int, conversion: int) -> dict[str, float]:
    """Cross-entropies of one row to far beyond float64, from the definitions."""
    with localcontext() as context:
        context.prec = 150
        p = 1 / (1 + (-Decimal(zp)).exp())
        q = 1 / (1 + (-Decimal(zq)).exp())
        t = p * q
        return {
            "ctr_nll": float(-(p if click else 1 - p).ln()),
            "cvr_nll": float(-(q if conversion else 1 - q).ln()),
            "ctcvr_nll": float(-(t if conversion else 1 - t).ln()),
        }


def closed_testing(p_values: Sequence[float]) -> list[float]:
    """Holm by its definition: the worst Bonferroni test over all families that contain i."""
    every = range(len(p_values))
    families = [f for size in range(1, len(p_values) + 1) for f in combinations(every, size)]
    return [
        max(min(1.0, len(f) * min(p_values[j] for j in f)) for f in families if i in f)
        for i in every
    ]
