"""A raw log with every kind of column, in several forms, and judgements of it compared."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers.mixed_log import MIXED, mixed_log
from postclick.data.schema import LogSchema
from postclick.judging.judge import Judgement

# Every kind of column, labels by rules, groups, weights and truth.
SCHEMA = LogSchema.parse(
    {
        **MIXED,
        "conversion": {"column": "paid", "positive": "> 0"},
        "hashed": [{"name": "page", "buckets": 7}],
        "group": "user",
        "weight": "stands_for",
        "truth": {"cvr": "p", "conversion": "would"},
    }
)


def log_of(rows: int, seed: int) -> pl.DataFrame:
    log = mixed_log(rows, seed)
    rng = np.random.default_rng(seed + 100)
    would = rng.random(rows) < 0.35
    paid = np.where(would & (log["click"] == 1).to_numpy(), rng.integers(1, 90, rows), 0)
    return log.drop("buy").with_columns(
        paid=pl.Series(paid).cast(pl.Float64),
        page=pl.Series(rng.integers(0, 30, rows)).cast(pl.String),
        stands_for=pl.Series(rng.choice([0.0, 1.0, 2.5], rows)),
        p=pl.Series(rng.random(rows)),
        would=pl.Series(would.astype(int)),
    )


def assert_same(found: Judgement, expected: Judgement, rel: float = 2e-5) -> None:
    """To what float32 leaves of sums over batches of other rows."""
    assert [(m.metric, m.space) for m in found.metrics] == [
        (m.metric, m.space) for m in expected.metrics
    ]
    for one, other in zip(found.metrics, expected.metrics, strict=True):
        assert (one.rows, one.groups, one.undefined) == (other.rows, other.groups, other.undefined)
        assert one.value == pytest.approx(other.value, rel=rel, abs=2e-6), one.metric
    assert found.propensity is not None and expected.propensity is not None
    for name in ("click_over_pi", "unclick_over_rest"):
        expected_mean = getattr(expected.propensity, name)
        assert getattr(found.propensity, name) == pytest.approx(expected_mean, rel=1e-5)


def csv_of(later: pl.DataFrame, folder: Path) -> Path:
    """Lists as the schema's separators say."""
    joined = [pl.col(c).cast(pl.List(pl.String)).list.join("|") for c in ("history", "weight")]
    later.with_columns(joined).write_csv(folder / "later.csv", separator=";")
    return folder / "later.csv"


def parquet_of(later: pl.DataFrame, folder: Path) -> list[Path]:
    """In two files, which are one log."""
    parts = [folder / "later_0.parquet", folder / "later_1.parquet"]
    later.head(700).write_parquet(parts[0])
    later.tail(-700).write_parquet(parts[1])
    return parts
