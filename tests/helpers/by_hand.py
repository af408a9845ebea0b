"""What a method predicts and what a log says, read by other means than judging reads them."""

from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from helpers.runs import small_settings
from postclick.data.prepared import PreparedLog
from postclick.methods.base import Method
from postclick.runs.build import build_method

Floats = NDArray[np.float64]


def shaken(log: PreparedLog, name: str, *changes: str) -> Method[Any]:
    """A method with random weights that are large enough for predictions to differ."""
    method = build_method(small_settings(name, *changes), log)
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return method


def stored(log: PreparedLog, column: str) -> Floats:
    """A column of the test split, read from the shards by other means."""
    files = [log.folder / shard.file for shard in log.split("test").shards]
    values: Floats = pl.concat([pl.read_parquet(f, columns=[column]) for f in files])[
        column
    ].to_numpy()
    return values.astype(np.float64)


def predicted(method: Method[Any], log: PreparedLog) -> tuple[Floats, Floats]:
    """pCTR and pCVR of the test split in one batch."""
    rows = log.rows("test")
    with torch.no_grad():
        prediction = method.eval().predict(rows.take(torch.arange(len(rows))))
    ctr, cvr = (logit.double().sigmoid().numpy() for logit in prediction[:2])
    return ctr, cvr
