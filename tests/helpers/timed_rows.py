"""Logs whose rows have times, and where a split put each row."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from helpers.written import stored
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare

ROWS = 3000
SECONDS = 1_767_225_600 + np.random.default_rng(0).integers(0, 30 * 86_400, ROWS)
ROLES = {"time": "at", "group": "user", "numeric": [], "multi": [], "truth": {}}
TEXTS = pl.from_epoch(pl.Series(SECONDS))


def with_times(log: pl.DataFrame, times: Any = SECONDS) -> pl.DataFrame:
    return log.with_columns(pl.Series("at", times))


def every_row(schema: LogSchema) -> LogSchema:
    """Truth columns are written as they are in every split: one that numbers the rows."""
    return schema.model_copy(update={"truth": type(schema.truth)(ctr="number")})


def places(log: PreparedLog) -> dict[str, list[int]]:
    """Numbers of the rows in each split, from the truth column of `every_row`."""
    return {
        name: sorted(np.rint(stored(log, name)["true_ctr"].to_numpy() * 4096).astype(int).tolist())
        for name in log.manifest.splits
    }


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(number=pl.int_range(pl.len()) / 4096)


def run(schema: LogSchema, frame: pl.DataFrame, out: Path, **options: Any) -> PreparedLog:
    return prepare(LogSplits(every_row(schema), FrameSource(numbered(frame))), out, **options)


def finding(log: PreparedLog, code: str) -> list[dict[str, Any]]:
    return [f for f in log.manifest.findings if f["code"] == code]
