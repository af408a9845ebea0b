"""Raw rows of Arrow, whose integers are one matrix, are encoded as frames are."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from postclick.data.lookup.raw_rows import RawRows


def batch_of(frame: pl.DataFrame) -> pa.RecordBatch:
    return frame.to_arrow().combine_chunks().to_batches()[0]


@pytest.mark.parametrize("kind", [pl.Int64, pl.Int8, pl.UInt32])
def test_columns(kind: type[pl.DataType]) -> None:
    frame = pl.DataFrame({"a": [7, 0, 3], "b": ["x", None, "y"], "c": [1, 2, 100]})
    frame = frame.with_columns(pl.col("a", "c").cast(kind))
    rows = RawRows.of_batch(batch_of(frame), ["a", "c"])
    assert rows.matrix.dtype == np.int64 and rows.frame.columns == ["b"]
    assert rows.height == 3 and rows.place == {"a": 0, "c": 1}
    assert rows.whole().equals(frame.select("b", pl.col("a", "c").cast(pl.Int64)))
    assert RawRows.of_batch(batch_of(frame.select("a")), ["a"]).column("a").to_list() == [7, 0, 3]


def test_gaps_leave_a_frame() -> None:
    frame = pl.DataFrame({"a": [7, None, 3], "c": [1, 2, 100]})
    rows = RawRows.of_batch(batch_of(frame), ["a", "c"])
    assert rows.integers == () and rows.height == 3 and rows.whole().equals(frame)
