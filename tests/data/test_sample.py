"""Samples of rows: uniform, and the same for any chunks."""

import numpy as np
import polars as pl

from postclick.data.row_hash import row_hash
from postclick.data.sample import HASH, HashSample


def test_a_hash_sample_is_uniform_and_free_of_chunks() -> None:
    rows = 20_000
    hashes = row_hash(0, rows, seed=1, stream=2)
    frame = pl.DataFrame({"x": np.arange(rows)})

    def sample(size: int) -> pl.DataFrame:
        made, merged = HashSample(500), HashSample(500)
        for first in range(0, rows, size):
            part = HashSample(500)
            chunk, mine = frame.slice(first, size), hashes[first : first + size]
            for target in (made, part):
                mask = target.accept(mine)
                target.put(chunk.filter(pl.Series(mask)), mine[mask])
            merged.merge(part)
        assert made.frame().equals(merged.frame())
        assert made.seen == merged.seen == rows
        return made.frame()

    whole = sample(rows)
    assert whole.height == 500
    assert whole.equals(sample(333))
    assert set(whole[HASH]) == set(np.sort(hashes)[:500])
    assert abs(float(whole["x"].mean()) - rows / 2) < 4 * rows / np.sqrt(12 * 500)  # type: ignore[arg-type]
