"""A small log with every kind of column, and its schema."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from postclick.data.schema import LogSchema

LogMaker = Callable[..., pl.DataFrame]


def _log(rows: int = 3000, seed: int = 0, first: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    click = rng.random(rows) < 0.4
    conversion = click & (rng.random(rows) < 0.3)
    lengths = rng.integers(0, 4, rows)
    history = [rng.integers(0, 30, n).astype(str).tolist() for n in lengths]
    price = np.exp(rng.normal(size=rows))
    return pl.DataFrame(
        {
            "row": np.arange(first, first + rows),
            "user": rng.integers(0, 50, rows),
            "shop": rng.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.19, 0.01]),
            "price": pl.Series(price).set(pl.Series(rng.random(rows) < 0.05), None),
            "age": rng.integers(18, 80, rows).astype(np.float64),
            "history": history,
            "weight": [rng.random(n).round(3).tolist() for n in lengths],
            "click": click.astype(np.int64),
            "buy": conversion.astype(np.int64),
            "p_click": rng.random(rows).round(3),
        }
    )


@pytest.fixture
def make_log() -> LogMaker:
    """rows, seed, first row number -> a log; `row` numbers its rows."""
    return _log


@pytest.fixture
def schema() -> LogSchema:
    return LogSchema.parse(SCHEMA)


SCHEMA: dict[str, Any] = {
    "click": "click",
    "conversion": "buy",
    "categorical": ["user", {"name": "shop", "min_count": 100}, "row"],
    "numeric": ["price", {"name": "age", "transform": "quantile", "bins": 8}],
    "multi": [{"name": "history", "weights": "weight", "pooling": "sum"}],
    "truth": {"ctr": "p_click"},
}
