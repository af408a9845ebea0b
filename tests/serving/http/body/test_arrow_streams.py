"""Streams that are compressed, cut into pieces or damaged."""

import io

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from postclick.serving.http.body.arrow_body import parse_arrow
from postclick.serving.http.refusal import Refusal

from .test_arrow_body import FEATURES, LIMITS, ROWS, arrow_stream, polars_stream, refused


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_streams_are_refused(compression: str) -> None:
    rows = pl.DataFrame({"item": ["a" * 50] * 40})
    assert refused(polars_stream(rows, compression=compression)).status == 415
    table = pa.table({"item": pa.array(["a" * 50] * 40).dictionary_encode()})
    assert refused(arrow_stream(table, compression=compression)).status == 415


def test_many_empty_batches_are_refused() -> None:
    sink = io.BytesIO()
    batch = pa.record_batch({"item": pa.array([], pa.int8())})
    with pa.ipc.new_stream(sink, batch.schema) as out:
        for _ in range(100):
            out.write_batch(batch)
    error = refused(sink.getvalue())
    assert error.status == 413 and "too many batches" in error.message


DAMAGED = {
    # Dictionaries, for which the stream is opened a second time.
    "dictionaries": ROWS.with_columns(pl.Series("age", ["u", "v", "u"], dtype=pl.Categorical)),
    "numbers and lists": ROWS.with_columns(
        pl.Series("age", [1, 2, 300]), pl.Series("history", [[1], [], [2, 3]])
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_bytes_are_refused_or_read(name: str) -> None:
    """Whatever bytes are changed: a Refusal or rows, never a crash or another exception."""
    rng = np.random.default_rng(0)
    whole = polars_stream(pl.DataFrame({"item": ["u"]}), DAMAGED[name].drop("item"))
    refusals = 0
    for _ in range(1_000):
        body = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 4)):
            body[place] = rng.integers(0, 256)
        try:
            rows = parse_arrow(bytes(body), FEATURES, LIMITS).rows
        except Refusal:
            refusals += 1
        else:
            assert 1 <= rows.height <= LIMITS.candidates
            rows.whole().to_dicts()
    assert refusals > 200
