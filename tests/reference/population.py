"""Small batches for the reference tests: random rows, and an exact tabular population."""

from __future__ import annotations

import numpy as np

from .losses import Array

Labels = tuple[Array, Array]

STRATA_P = np.array([0.05, 0.1, 0.2, 0.4])  # true CTR of each stratum
STRATA_R = np.array([0.1, 0.25, 0.05, 0.2])  # true CVR of each stratum
ROWS = 400  # per stratum: p*ROWS clicks and p*r*ROWS conversions are whole numbers


def logit(p: Array) -> Array:
    return np.asarray(np.log(p / (1.0 - p)), dtype=np.float64)


def random_batch(seed: int, heads: tuple[str, ...], n: int = 18) -> tuple[dict[str, Array], Labels]:
    """Logits per head and (click, conversion), about half of the rows clicked."""
    rng = np.random.default_rng(seed)
    z = {head: rng.normal(0.0, 1.2, n) for head in heads}
    c = (rng.random(n) < 0.5).astype(np.float64)
    return z, (c, c * (rng.random(n) < 0.4))


def exact_population() -> Labels:
    """Click and conversion of ``ROWS`` rows per stratum, counts exactly the expected ones."""
    click, conv = np.zeros((4, ROWS)), np.zeros((4, ROWS))
    clicks = np.rint(STRATA_P * ROWS).astype(int)
    orders = np.rint(STRATA_P * STRATA_R * ROWS).astype(int)
    for i in range(4):
        click[i, : clicks[i]], conv[i, : orders[i]] = 1.0, 1.0
    return click.ravel(), conv.ravel()
