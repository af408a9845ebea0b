"""Ids that floating point rounds."""

import numpy as np
import polars as pl
import pytest

from postclick.data.check.check_log import check_log
from postclick.data.read.log_source import FrameSource
from postclick.data.read.values.rounded_ids import RoundedIds
from postclick.data.schema import LogSchema


def findings(ids: pl.Series) -> dict[str, str]:
    n = np.arange(len(ids))
    log = pl.DataFrame({"click": n % 3 == 0, "buy": n % 9 == 0, "user": ids})
    schema = LogSchema.parse({"click": "click", "conversion": "buy", "categorical": ["user"]})
    found = check_log(schema, FrameSource(log)).findings
    return {f.code: f.severity for f in found if f.column == "user"}


def test_neighbours_of_19_digits_become_one() -> None:
    """987 different ids are 6 in floating point."""
    rng = np.random.default_rng(0)
    ids = 1_000_000_000_000_000_000 + rng.permutation(987)[rng.integers(0, 987, 4000)]
    assert pl.Series(ids).n_unique() > 900
    assert findings(pl.Series(ids)) == {}
    assert findings(pl.Series(ids.astype(np.float64)))["rounded-ids"] == "error"
    written = [repr(float(x)) for x in ids]
    assert findings(pl.Series(written))["rounded-ids"] == "error"


def test_ids_far_apart_are_told() -> None:
    ids = np.random.default_rng(0).integers(2**60, 2**63, 500)[np.arange(4000) % 500]
    assert findings(pl.Series(ids.astype(np.float64)))["rounded-ids"] == "warning"


def test_single_precision_ends_earlier() -> None:
    ids = (2**25 + np.arange(4000) % 97).astype(np.float32)
    assert findings(pl.Series(ids))["rounded-ids"] == "error"
    assert "rounded-ids" not in findings(pl.Series(np.arange(4000.0) % 97))


@pytest.mark.parametrize("seed", range(5))
def test_chunks_in_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    column = pl.Series(rng.integers(-(2**62), 2**62, 300).astype(np.float64))
    whole = RoundedIds()
    whole.add(column)
    parts = RoundedIds()
    for start in rng.permutation(30):
        part = RoundedIds()
        part.add(column[int(start) * 10 : int(start) * 10 + 10])
        parts.merge(part)
    assert parts == whole
