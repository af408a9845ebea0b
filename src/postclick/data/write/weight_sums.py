"""What the rows of a written split weigh."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from postclick.data.arrays import read_shard
from postclick.data.manifest import CLICK, CONVERSION, WEIGHT, Shard, WeightSums


def weight_sums(folder: Path, shards: Iterable[Shard]) -> WeightSums:
    """Sums over the rows of `shards`, in their order, so that no chunking of the log changes them.

    Raises:
        InputError: a shard is missing or damaged.
    """
    rows = clicks = conversions = 0.0
    for shard in shards:
        table = read_shard(folder / shard.file, [CLICK, CONVERSION, WEIGHT])
        weight = table.column(WEIGHT).to_numpy().astype(np.float64)
        rows += float(weight.sum())
        clicks += float(weight[table.column(CLICK).to_numpy() == 1].sum())
        conversions += float(weight[table.column(CONVERSION).to_numpy() == 1].sum())
    return WeightSums(rows=rows, clicks=clicks, conversions=conversions)
