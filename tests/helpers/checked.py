"""A small log and what `check` says of it."""

from typing import Any

import numpy as np
import polars as pl

from postclick.data.check.check_log import check_log
from postclick.data.check.findings import CheckReport, Finding
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema

ROWS = 4000


BASE = {"click": "click", "conversion": "buy", "categorical": ["shop"], "numeric": ["price"]}


def log(rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    click = rng.random(rows) < 0.5
    return pl.DataFrame(
        {
            "click": click.astype(int),
            "buy": (click & (rng.random(rows) < 0.3)).astype(int),
            "shop": rng.choice(["a", "b", "c"], rows),
            "price": rng.normal(size=rows),
        }
    )


def check(
    frame: pl.DataFrame, *others: pl.DataFrame, policy: Any = "error", **schema: Any
) -> CheckReport:
    splits = dict(zip(("test", "valid"), map(FrameSource, others), strict=False))
    parsed = LogSchema.parse({**BASE, **schema})
    return check_log(parsed, FrameSource(frame), **splits, on_bad_rows=policy)


def only(report: CheckReport, code: str) -> Finding:
    found = [f for f in report.findings if f.code == code]
    assert len(found) == 1, report.findings
    assert "\n" not in found[0].message
    return found[0]


def codes(report: CheckReport) -> set[str]:
    return {f.code for f in report.findings}
