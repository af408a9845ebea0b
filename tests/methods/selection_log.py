"""Small logs drawn from a selection model, with known dependence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import expit

from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare

SCHEMA = {
    "click": "click",
    "conversion": "conversion",
    "categorical": ["item", "shop"],
    "numeric": ["price"],
    "truth": {"cvr": "true_cvr"},
}


def frame(rows: int, s: float, seed: int = 0) -> pl.DataFrame:
    """A click logit with a position and u, a conversion logit with s u; about 30 % click."""
    rng = np.random.default_rng(seed)
    item, shop = rng.integers(0, 12, rows), rng.integers(0, 5, rows)
    price, position = rng.normal(size=rows), rng.integers(0, 4, rows)
    u = rng.normal(size=rows)
    effects = rng.normal(size=(2, 12))
    a = -1.2 + 0.5 * effects[0][item] + 0.3 * price + np.array([2.0, 0.7, -0.7, -2.0])[position]
    b = -1.0 + 0.5 * effects[1][item] - 0.3 * price + 0.2 * (shop - 2)
    click = rng.random(rows) < expit(a + u)
    conversion = click & (rng.random(rows) < expit(b + s * u))
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    truth = expit(b[:, None] + s * nodes) @ (weights / weights.sum())
    return pl.DataFrame(
        {
            "item": item,
            "shop": shop,
            "price": price,
            "position": position,
            "true_cvr": truth,
            "click": click.astype(np.int8),
            "conversion": conversion.astype(np.int8),
        }
    )


def prepared(
    data: pl.DataFrame,
    folder: Path,
    *,
    exposure: bool = True,
    negative_rate: float = 1.0,
    **more: str,
) -> PreparedLog:
    schema = {**SCHEMA, **({"exposure": "position"} if exposure else {}), **more}
    splits = LogSplits(LogSchema.parse(schema), FrameSource(data))
    return prepare(
        splits, folder, valid_fraction=0.1, test_fraction=0.1, negative_rate=negative_rate
    )
