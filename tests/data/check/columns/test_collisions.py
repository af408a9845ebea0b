"""Values of a hashed feature that share a bucket, counted and told."""

import numpy as np
import polars as pl
import pytest

from postclick.data.check.check_log import check_log
from postclick.data.check.columns.collisions import BucketCounts, collision_findings
from postclick.data.read.log_source import FrameSource
from postclick.data.read.values.bucket_hash import bucket_ids
from postclick.data.schema import Hashed, LogSchema


def values(count: int, first: int = 0) -> pl.Series:
    return pl.Series(np.arange(first, first + count)).cast(pl.String)


@pytest.mark.parametrize("buckets", [7, 500, 100_000])
def test_the_share_is_that_of_counting_by_hand(buckets: int) -> None:
    column = values(900)
    counts = BucketCounts(buckets)
    for part in (column[:300], column[200:], column[:10]):
        counts.add(part.set(pl.Series([k % 50 == 49 for k in range(len(part))]), None))
    seen = {v for k, v in enumerate(column[:300]) if k % 50 != 49}
    seen |= {v for k, v in enumerate(column[200:]) if k % 50 != 49}
    ids = bucket_ids(pl.Series(sorted(seen)), buckets).tolist()
    shared = sum(ids.count(bucket) > 1 for bucket in ids) / len(ids)
    assert counts.values() == len(seen)
    assert counts.shared() == pytest.approx(shared)
    assert counts.expected() == pytest.approx(1 - (1 - 1 / buckets) ** (len(seen) - 1))
    assert abs(counts.expected() - shared) < 0.05


def test_beyond_what_is_followed_it_is_an_estimate() -> None:
    counts, merged = BucketCounts(1_000_000, max_values=5_000), BucketCounts(1_000_000, 5_000)
    for first in range(0, 200_000, 20_000):
        part = BucketCounts(1_000_000, 5_000)
        part.add(values(20_000, first))
        counts.add(values(20_000, first))
        merged.merge(part)
    for found in (counts, merged):
        assert found.shared() is None
        assert abs(found.values() / 200_000 - 1) < 0.1
        assert abs(found.expected() - 0.181) < 0.02
    (finding,) = collision_findings(Hashed(name="ad", buckets=1_000_000), counts)
    assert "about" in finding.message


def test_many_are_a_warning_whose_mend_works() -> None:
    rng = np.random.default_rng(0)
    log = pl.DataFrame(
        {
            "click": rng.integers(0, 2, 4_000),
            "buy": np.zeros(4_000, dtype=int),
            "ad": rng.integers(0, 2**60, 4_000),
        }
    ).with_columns(buy=pl.col("click") * (pl.col("ad") % 3 == 0).cast(pl.Int64))

    def finding(buckets: int) -> tuple[str, str]:
        hashed = [{"name": "ad", "buckets": buckets}]
        schema = LogSchema.parse({"click": "click", "conversion": "buy", "hashed": hashed})
        report = check_log(schema, FrameSource(log))
        (one,) = [f for f in report.findings if f.code == "bucket-collisions"]
        assert one.column == "ad"
        return one.severity, one.message

    severity, message = finding(2_000)
    assert severity == "warning"
    assert "4,000 different values in 2,000 buckets" in message
    mend = int(message.split("set buckets: ")[1].split(",")[0])
    severity, message = finding(mend)
    assert severity == "info"
    assert "set buckets" not in message


def test_no_value_no_finding() -> None:
    assert collision_findings(Hashed(name="ad"), BucketCounts(10)) == []
