"""Logs of predictions whose names and values are long, foreign, or written like HTML."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from postclick.logits import sigmoid

SCRIPT = "<script>alert('shop')</script>"
IMAGE = '"><img src=x onerror=alert(2)>'
LONG = "b" * 3000
SHOPS = (SCRIPT, IMAGE, LONG, "naïve café", "日本語の店", "שלום", "x & y", "{{ 7 * 7 }}")
LONG_NAME = "a model with a very long name_without_any_space_" + "x" * 80
MARKED_UP = "<b onclick=alert(3)>bold</b>"
THREE = ("naive", MARKED_UP, LONG_NAME)


def hostile_predictions(
    models: Sequence[str] = THREE, rows: int = 4000, seed: int = 0
) -> pl.DataFrame:
    """Clicks and conversions drawn from the first model's predictions; the others are noisier."""
    rng = np.random.default_rng(seed)
    position = rng.integers(1, 6, rows)
    zp, zq = rng.normal(-1, 1, rows) - 0.2 * position, rng.normal(-1, 1, rows)
    click, potential = rng.random(rows) < sigmoid(zp), rng.random(rows) < sigmoid(zq)
    moments = 1_767_225_600 + rng.integers(0, 10 * 86_400, rows)
    columns = {
        "click": click.astype(np.int8),
        "conversion": (click & potential).astype(np.int8),
        "user": rng.integers(1, rows // 8, rows),
        "shop": rng.choice(SHOPS, rows),
        "price": rng.gamma(2.0, 10.0, rows),
        "at": pl.Series(moments * 1_000_000).cast(pl.Datetime("us")),
        "position": position,
        "true": sigmoid(zq),
        "drawn": (rng.random(rows) < 0.2).astype(np.float64),
    }
    for k, name in enumerate(models):
        noise = rng.normal(0.02 * k, 0.05 + 0.2 * k, rows) if k else np.zeros(rows)
        columns |= {f"pctr_{name}": sigmoid(zp + noise / 2), f"pcvr_{name}": sigmoid(zq + noise)}
    return pl.DataFrame(columns)
