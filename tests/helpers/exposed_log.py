"""A log in which a slot moves clicks and no conversions, prepared with it as the exposure."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare

SLOTS = ("1", "2", "3", "4")
# What each adds to the logit of a click.
EFFECT = np.array([1.5, 0.5, -0.5, -1.5])
SCHEMA = {
    "click": "click",
    "conversion": "buy",
    "categorical": ["shop", "user"],
    "numeric": ["price"],
    "multi": ["history"],
}


def exposed_frame(rows: int, seed: int = 0) -> pl.DataFrame:
    """Rows with slots that go by the shop: good shops stand at the top more often."""
    rng = np.random.default_rng(seed)
    shop, user = rng.integers(0, 12, rows), rng.integers(0, 40, rows)
    quality = np.linspace(-1, 1, 12)[shop]
    slot = np.clip(np.round(1.5 - quality + rng.normal(size=rows)), 0, 3).astype(int)
    click = rng.random(rows) < 1 / (1 + np.exp(1.2 - quality - EFFECT[slot]))
    buy = click & (rng.random(rows) < 1 / (1 + np.exp(1.0 - 0.1 * (shop % 4) * 3)))
    return pl.DataFrame(
        {
            "shop": shop,
            "user": user,
            "price": rng.lognormal(size=rows),
            "history": [rng.integers(0, 9, n).tolist() for n in rng.integers(0, 4, rows)],
            "slot": slot + 1,
            "click": click.astype(np.int8),
            "buy": buy.astype(np.int8),
        }
    )


def exposed_log(
    folder: Path, rows: int = 3_000, exposure: object = "slot", **options: Any
) -> PreparedLog:
    schema = LogSchema.parse({**SCHEMA, "exposure": exposure})
    sources = FrameSource(exposed_frame(rows)), FrameSource(exposed_frame(600, seed=1))
    return prepare(LogSplits(schema, *sources), folder, **options)


def converting_by(rows: pl.DataFrame, pcvr: pl.Series, seed: int = 0) -> pl.DataFrame:
    """The rows with conversions that rise with `pcvr`, so that a calibrator can be fitted."""
    p = pcvr.to_numpy().astype(np.float64)
    drawn = np.random.default_rng(seed).random(rows.height) < 1 / (
        1 + np.exp(1 - 2 * (p - p.mean()) / p.std())
    )
    return rows.with_columns(buy=pl.Series(drawn).cast(pl.Int8) * pl.col("click"))
