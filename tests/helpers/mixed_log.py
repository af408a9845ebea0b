"""A log with every kind of column."""

from typing import Any

import numpy as np
import polars as pl

MIXED: dict[str, Any] = {
    "click": "click",
    "conversion": "buy",
    "categorical": ["user", {"name": "shop", "min_count": 5}, "size", "Grün/é"],
    "numeric": [
        "price",
        {"name": "spend", "transform": "log1p"},
        {"name": "age", "transform": "quantile", "bins": 8},
    ],
    "multi": [
        {
            "name": "history",
            "weights": "weight",
            "separator": "|",
            "pooling": "sum",
            "max_length": 3,
        },
        {"name": "tags", "separator": "|"},
    ],
}


def mixed_log(rows: int = 3_000, seed: int = 0) -> pl.DataFrame:
    """Integers, text, floats with gaps, numbers with gaps, lists with weights, separated text."""
    rng = np.random.default_rng(seed)
    click = rng.random(rows) < 0.4
    lengths = rng.integers(0, 6, rows)
    size = pl.Series(rng.choice([36.0, 36.5, 37.0, 40.0], rows))
    gaps = pl.Series(rng.random(rows) < 0.1)
    tags = [rng.choice(["a", "b", "7", "7.0", ""], n).tolist() for n in rng.integers(0, 4, rows)]
    return pl.DataFrame(
        {
            "user": rng.integers(0, 80, rows),
            "shop": rng.choice(["a", "b", "7", "7.0", "NULL"], rows),
            "size": size.set(gaps, None),
            "Grün/é": rng.choice(["über", "unter", "日本"], rows),
            "price": pl.Series(np.exp(rng.normal(size=rows))).set(gaps, None),
            "spend": rng.integers(-50, 5_000, rows),
            "age": rng.integers(18, 80, rows).astype(np.float64),
            "history": [rng.integers(0, 30, n).astype(str).tolist() for n in lengths],
            "weight": [rng.random(n).round(3).tolist() for n in lengths],
            "tags": ["|".join(found) for found in tags],
            "click": click.astype(np.int64),
            "buy": (click & (rng.random(rows) < 0.4)).astype(np.int64),
        }
    )
