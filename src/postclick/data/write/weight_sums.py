"""What the rows of a written split weigh."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from postclick.data.manifest import CLICK, CONVERSION, WEIGHT, Shard, WeightSums


def weight_sums(folder: Path, shards: Iterable[Shard]) -> WeightSums:
    """Sums over the rows of `shards`, in their order, so that no chunking of the log changes them.

    Args:
        shards: files below `folder`, just written.
    """
    rows = clicks = conversions = 0.0
    for shard in shards:
        columns = [CLICK, CONVERSION, WEIGHT]
        table = pl.read_parquet(folder / shard.file, columns=columns, glob=False)
        weight = table[WEIGHT].to_numpy().astype(np.float64)
        rows += float(weight.sum())
        clicks += float(weight[(table[CLICK] == 1).to_numpy()].sum())
        conversions += float(weight[(table[CONVERSION] == 1).to_numpy()].sum())
    return WeightSums(rows=rows, clicks=clicks, conversions=conversions)
