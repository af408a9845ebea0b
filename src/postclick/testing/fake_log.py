"""A small prepared log with every kind of column, for tests that train."""

from pathlib import Path

import numpy as np
import polars as pl

from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare

SCHEMA = {
    "click": "click",
    "conversion": "conversion",
    "categorical": ["user", "item"],
    "numeric": ["price"],
    "multi": ["history"],
    "hashed": [{"name": "device", "buckets": 200}],
    "vector": [{"name": "embedding", "size": 4, "project": 2}],
    "group": "user",
}


def fake_log(
    folder: str | Path, rows: int = 4_000, seed: int = 0, exposure: str | None = None
) -> PreparedLog:
    """Prepare a log in `folder`, which must not exist: ids, a number, a list, hashed ids, a group,
    and a vector that is missing here and there.

    Clicks and conversions follow the item and the price, with many of both, so that a short run
    learns something.

    Args:
        exposure: the name of a column with slots 1 to 3, which move clicks alone; None for none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     log = fake_log(f"{place}/log", rows=1_000)
    >>> sorted(log.manifest.splits)
    ['test', 'train', 'valid']
    """
    rng = np.random.default_rng(seed)
    item, price = rng.integers(0, 20, rows), rng.lognormal(size=rows)
    click = rng.random(rows) < 1 / (1 + np.exp(1 - 0.1 * item + 0.2 * price))
    conversion = click & (rng.random(rows) < 1 / (1 + np.exp(1 - 0.05 * item)))
    user = rng.integers(0, 100, rows)
    history = [rng.integers(0, 20, n).tolist() for n in rng.integers(0, 5, rows)]
    device = rng.integers(0, 2**40, rows)
    embedding = rng.normal(size=(rows, 4)).tolist()
    schema: dict[str, object] = {**SCHEMA}
    slot = np.zeros(rows, np.int64)
    if exposure is not None:
        slot = rng.integers(1, 4, rows)
        click = rng.random(rows) < 1 / (1 + np.exp(slot - 1 - 0.1 * item + 0.2 * price))
        conversion = click & (rng.random(rows) < 1 / (1 + np.exp(1 - 0.05 * item)))
        schema["exposure"] = exposure
    frame = pl.DataFrame(
        {
            "user": user,
            "item": item,
            "price": price,
            "history": history,
            "device": device,
            "embedding": [None if row % 10 == 3 else v for row, v in enumerate(embedding)],
            "click": click.astype(np.int8),
            "conversion": conversion.astype(np.int8),
        }
    )
    if exposure is not None:
        frame = frame.with_columns(pl.Series(exposure, slot))
    return prepare(LogSplits(LogSchema.parse(schema), FrameSource(frame)), Path(folder))
