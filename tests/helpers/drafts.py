"""Drafts of a schema for a log with one odd column or two, and what they make of each."""

import numpy as np
import polars as pl
import yaml

from postclick.data.check.check_log import check_log
from postclick.data.check.propose import propose_schema
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema

ROWS = 2000
RNG = np.random.default_rng(0)
CLICK = RNG.random(ROWS) < 0.4
BUY = CLICK & (RNG.random(ROWS) < 0.4)
SHOP = RNG.integers(0, 50, ROWS)
PRICES = [f"{x:.2f}" for x in RNG.lognormal(2, 0.5, ROWS)]
AGES = RNG.integers(18, 80, ROWS)
LISTS = [RNG.integers(0, 30, n).tolist() for n in RNG.integers(0, 5, ROWS)]
VECTORS = RNG.normal(size=(ROWS, 64))


def draft(**columns: object) -> tuple[LogSchema, str]:
    frame = pl.DataFrame({"click": CLICK, "buy": BUY, "shop": SHOP}).with_columns(
        (v if isinstance(v, pl.Series) else pl.Series(v)).alias(name) for name, v in columns.items()
    )
    text = propose_schema(FrameSource(frame))
    schema = LogSchema.parse(yaml.safe_load(text))
    assert check_log(schema, FrameSource(frame)).errors == ()
    return schema, text


def line(text: str, name: str) -> str:
    return next(one for one in text.splitlines() if name in one.partition("#")[0])


def kind(schema: LogSchema, name: str) -> str:
    kinds = ("categorical", "numeric", "multi", "vector")
    return next((k for k in kinds if name in [f.name for f in getattr(schema, k)]), "ignore")


def with_holes(values: list[str], *tokens: str, each: int = 60) -> list[str]:
    holes, values = RNG.permutation(ROWS), list(values)
    for k, token in enumerate(tokens):
        for row in holes[k * each : (k + 1) * each]:
            values[row] = token
    return values
