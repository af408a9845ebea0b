"""A log with vectors and hashed values, in several spellings."""

from typing import Any

import numpy as np
import polars as pl

SIZE = 6
KINDS: dict[str, Any] = {
    "click": "click",
    "conversion": "buy",
    "categorical": ["user"],
    "numeric": ["price"],
    "hashed": [{"name": "ad", "buckets": 300}],
    "vector": [
        {"name": "image", "size": SIZE, "project": 3},
        {"name": "text", "size": 2, "standardize": False, "brackets": True},
    ],
}


def vector_log(rows: int = 3_000, seed: int = 0) -> pl.DataFrame:
    """Clicks follow the image, of which one in nine is missing and a few lack an element."""
    rng = np.random.default_rng(seed)
    image = rng.normal(4.0, 2.0, (rows, SIZE))
    slope = np.array([0.9, -0.7, 0.5, 0.0, 0.4, -0.8])
    click = rng.random(rows) < 1 / (1 + np.exp(1.0 - (image - 4.0) @ slope / 2))
    conversion = click & (rng.random(rows) < 0.1 + 0.4 * (image[:, 0] > 4))
    rounded = image.round(3)
    images = [None if k % 9 == 4 else row.tolist() for k, row in enumerate(rounded)]
    for k in range(2, rows, 100):
        if images[k] is not None:
            images[k] = [None, *rounded[k, 1:].tolist()]
    return pl.DataFrame(
        {
            "user": rng.integers(0, 40, rows),
            "price": rng.lognormal(size=rows).round(4),
            "ad": pl.Series(rng.integers(0, 10**9, rows)).set(
                pl.Series(rng.random(rows) < 0.05), None
            ),
            "image": images,
            "text": [f"[{a:.3f}, {b:.3f}]" for a, b in rng.normal(size=(rows, 2))],
            "click": click.astype(int),
            "buy": conversion.astype(int),
        },
        schema_overrides={"image": pl.List(pl.Float64)},
    )
