"""A raw log in the plain form that all peers read: fitted on training rows, without test labels."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from peer_models.plain_log import SIZES
from postclick.data.schema import LogSchema

BINS = 20
LABELS = ("click", "conversion")


def write_plain_log(schema: LogSchema, splits: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Write `train`, `valid` and `test` of `splits` as ids, numbers and bins.

    A category has an id from 1 on if it is in at least `min_count` training rows, as the schema
    says, else 0. Numbers are log1p where the schema says so, then standardized; a missing one is
    the mean. Their 20 bins hold about as many training rows each.
    """
    train = splits["train"]
    columns: list[pl.Expr] = []
    sizes: dict[str, int] = {}
    for feature in schema.categorical:
        seen = train[feature.name].drop_nulls().value_counts(sort=False)
        seen = seen.filter(pl.col("count") >= (feature.min_count or schema.min_count))
        known = seen[feature.name].sort()
        sizes[feature.name] = len(known) + 1
        ids = pl.Series(range(1, len(known) + 1), dtype=pl.Int32)
        columns.append(
            pl.col(feature.name).replace_strict(known, ids, default=0, return_dtype=pl.Int32)
        )
    edges: dict[str, np.ndarray] = {}
    for number in schema.numeric:
        value = pl.col(number.name).cast(pl.Float64)
        value = value.log1p() if number.transform == "log1p" else value
        mean, deviation = train.select(m=value.mean(), d=value.std()).row(0)
        scaled = ((value - mean) / deviation).fill_null(0.0)
        columns.append(scaled.cast(pl.Float32).alias(number.name))
        quantiles = np.quantile(train.select(scaled).to_series(), np.arange(1, BINS) / BINS)
        edges[number.name] = np.unique(quantiles).astype(np.float32)
    folder.mkdir(parents=True)
    for name, raw in splits.items():
        labels = [] if name == "test" else [pl.col(label) for label in LABELS]
        table = raw.select(*columns, *labels)
        binned = [
            pl.Series(bin_of(k), np.searchsorted(cuts, table[k].to_numpy(), side="right"))
            for k, cuts in edges.items()
        ]
        table.with_columns(binned).write_parquet(folder / f"{name}.parquet")
    described = {
        "ids": sizes,
        "numbers": list(edges),
        "bins": {bin_of(name): len(cuts) + 1 for name, cuts in edges.items()},
    }
    (folder / SIZES).write_text(json.dumps(described, indent=1), encoding="utf-8")


def bin_of(name: str) -> str:
    """The column with the bins of a number."""
    return f"{name}_bin"
