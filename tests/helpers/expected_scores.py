"""What training's own path says of raw rows: the encoder of `prepare`, and kept predictions."""

import numpy as np
import polars as pl

from postclick.data.encode.encoder import Encoder
from postclick.data.prepared import PreparedLog
from postclick.data.read.canonical import Canonicalizer, Issues
from postclick.logits import sigmoid
from postclick.runs.run import Run


def prepared_features(log: PreparedLog, raw: pl.DataFrame) -> pl.DataFrame:
    """`raw` as prepared columns, without labels."""
    manifest = log.manifest
    canonical = Canonicalizer(manifest.log_schema, raw.columns, labels=False)
    frame = canonical.convert(raw.select(canonical.reads), Issues())
    return Encoder.load(log.folder, manifest).encode(frame)


def expected_scores(run: Run, log: PreparedLog, raw: pl.DataFrame) -> pl.DataFrame:
    """For each raw row of the test split the probabilities that `Run.evaluate` kept.

    Shards hold the rows in another order: a row is found by its features. Rows with the same
    features have the same predictions.
    """
    features = prepared_features(log, raw)
    files = [log.folder / shard.file for shard in log.split("test").shards]
    stored = pl.concat([pl.read_parquet(file) for file in files])
    kept = run.predictions("test").cast(pl.Float64)
    logits = kept.with_columns(key=_key(stored.select(features.columns))).unique("key")
    found = pl.DataFrame({"key": _key(features)}).join(
        logits, on="key", how="left", maintain_order="left"
    )
    assert not found["ctr_logit"].has_nulls(), "a raw row is not in the test split"
    pctr, pcvr = (sigmoid(found[name].to_numpy()) for name in ("ctr_logit", "cvr_logit"))
    joint = np.exp(found["log_ctcvr"].to_numpy()) if "log_ctcvr" in found else pctr * pcvr
    return pl.DataFrame({"pctr": pctr, "pcvr": pcvr, "pctcvr": joint})


def largest_difference(a: pl.DataFrame, b: pl.DataFrame) -> float:
    assert a.columns == b.columns and a.height == b.height
    pairs = ((a[name].to_numpy(), b[name].to_numpy()) for name in a.columns)
    return max(float(np.abs(x - y).max(initial=0.0)) for x, y in pairs)


def _key(frame: pl.DataFrame) -> pl.Series:
    """A row's columns as text: exact, also for lists and floats."""
    return frame.select(pl.concat_str([_text(c) for c in frame.iter_columns()], separator=" "))[
        frame.columns[0]
    ]


def _text(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List):
        return column.cast(pl.List(pl.String)).list.join(",")
    return column.cast(pl.String)
