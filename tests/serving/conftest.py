"""A bundle of a log with every kind of column."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers.runs import small_settings
from postclick.data.prepared import PreparedLog
from postclick.data.schema import LogSchema
from postclick.data.source import FrameSource
from postclick.datasets.base import LogSplits
from postclick.serving.bundle import Bundle
from postclick.training.run import Run

MIXED = {
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


@pytest.fixture(scope="session")
def mixed_raw() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train and test; the test log has values that train has not."""
    test = mixed_log(1_200, seed=1)
    unseen = pl.when(pl.int_range(pl.len()) % 7 == 0).then(pl.col("user") + 1_000)
    return mixed_log(), test.with_columns(unseen.otherwise("user").alias("user"))


@pytest.fixture(scope="session")
def mixed_data(
    mixed_raw: tuple[pl.DataFrame, pl.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> PreparedLog:
    from postclick import prepare

    train, test = (FrameSource(frame) for frame in mixed_raw)
    out = tmp_path_factory.mktemp("mixed") / "data"
    return prepare(LogSplits(LogSchema.parse(MIXED), train, test), out, shard_rows=500)


@pytest.fixture(scope="session")
def mixed_run(mixed_data: PreparedLog) -> Run:
    from postclick import train

    run = train(mixed_data, small_settings("esmm"), mixed_data.folder.parent / "run")
    run.evaluate(mixed_data, keep_predictions=True)
    return run


@pytest.fixture(scope="session")
def mixed_folder(mixed_run: Run) -> Path:
    """A bundle's folder; tests that change it work on a copy."""
    from postclick import export

    return export(mixed_run, mixed_run.folder.parent / "bundle").folder


@pytest.fixture(scope="session")
def mixed_bundle(mixed_folder: Path) -> Bundle:
    return Bundle.open(mixed_folder, threads=2)
