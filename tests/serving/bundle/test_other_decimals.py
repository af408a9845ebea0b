"""A bundle scores a file whose decimals are separated in another way than those of training."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers.runs import small_settings
from postclick import export, open_splits, prepare, train
from postclick.data.schema import LogSchema
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.score_log import score

SCHEMA = LogSchema.parse(
    {
        "click": "click",
        "conversion": "buy",
        "categorical": ["rate"],
        "numeric": ["price"],
        "hashed": [{"name": "width", "buckets": 50}],
        "vector": [{"name": "image", "size": 2, "separator": "|"}],
        "multi": [{"name": "sizes", "separator": "|"}],
    }
)


def log_of(rows: int = 800) -> pl.DataFrame:
    """Text with decimal points in every kind of column."""
    rng = np.random.default_rng(0)
    click = rng.random(rows) < 0.4
    numbers = rng.normal(size=(rows, 2)).round(2) + 0.001
    sizes = rng.integers(0, 5, (rows, 2)) + 0.5
    return pl.DataFrame(
        {
            "click": click.astype(int),
            "buy": (click & (rng.random(rows) < 0.3)).astype(int),
            "rate": [str(k) for k in rng.integers(0, 6, rows) + 0.25],
            "price": [f"{x:.3f}" for x in rng.lognormal(size=rows)],
            "width": [str(k) for k in rng.integers(0, 20, rows) + 0.75],
            "image": [f"{a:.3f}|{b:.3f}" for a, b in numbers],
            "sizes": [f"{a}|{b}" for a, b in sizes],
        }
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("decimals")
    log_of().write_csv(folder / "log.csv")
    data = prepare(open_splits(SCHEMA, folder / "log.csv"), folder / "data")
    run = train(data, small_settings("esmm"), folder / "run")
    return export(run, folder / "bundle")


def test_every_kind_of_column_is_read_with_a_decimal_comma(bundle: Bundle, tmp_path: Path) -> None:
    rows = log_of().drop("click", "buy").head(60)
    commas = rows.with_columns(pl.all().str.replace_all(".", ",", literal=True))
    commas.write_csv(tmp_path / "rows.csv", separator=";")
    score(bundle, tmp_path / "rows.csv", tmp_path / "scores.parquet")
    expected = bundle.score(rows)
    assert pl.read_parquet(tmp_path / "scores.parquet").equals(expected)
    for name in ("rate", "price", "width", "image", "sizes"):  # each of them counts
        changed = rows.with_columns(pl.lit(None, dtype=pl.String).alias(name))
        assert not bundle.score(changed).equals(expected)
    assert bundle.reading(",").score(commas).equals(expected)
