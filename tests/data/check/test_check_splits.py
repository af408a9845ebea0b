"""Splits that overlap, and sums over chunks."""

from itertools import permutations

import numpy as np
import polars as pl
import pytest

from helpers.checked import BASE, ROWS, check, codes, log, only
from postclick.data.check.columns import whole_columns as checks_columns
from postclick.data.check.columns.labels import LabelCounts
from postclick.data.check.columns.whole_columns import ColumnChecks
from postclick.data.check.splits import overlap
from postclick.data.check.splits.overlap import KeySketch, TimeSpan
from postclick.data.row_hash import row_hash
from postclick.data.schema import LogSchema


def test_split_overlap_by_key() -> None:
    train = log().with_columns(id=pl.int_range(ROWS))
    test = log(seed=1).with_columns(id=pl.int_range(ROWS) + ROWS - 7)
    finding = only(check(train, test, key="id"), "split-overlap")
    assert (finding.severity, finding.rows) == ("warning", 7)
    assert "split-overlap" not in codes(check(train, test.slice(7), key="id"))
    pairs = check(train, test, key=["id", "shop"])
    shared = train.join(test, on=["id", "shop"]).height
    assert sum(f.rows for f in pairs.findings if f.code == "split-overlap") == shared


def test_overlap_of_many_keys_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = row_hash(0, 100_000, seed=3, stream=1)
    a, b = KeySketch(5000), KeySketch(3000)
    for part in np.split(keys, 10):
        a.add(part)
    for part in np.split(np.tile(keys[50_000:], 2), 10):
        b.add(part)
    rows, followed = b.rows_in(a)
    assert followed < 0.1
    assert abs(rows - 100_000) < 10_000
    both = KeySketch(3000)
    both.add(keys[:50_000])
    half = KeySketch(3000)
    half.add(keys[50_000:])
    both.merge(half)
    assert abs(b.rows_in(both)[0] - 100_000) < 10_000
    monkeypatch.setattr(overlap, "MAX_KEYS", 1)
    assert "split-overlap" in codes(check(log().with_columns(id=1), log(), key="shop"))


def test_time_overlap() -> None:
    train = log().with_columns(day=pl.int_range(ROWS))
    test = log(seed=1).with_columns(day=pl.int_range(ROWS) + ROWS - 10)
    finding = only(check(train, test, time="day"), "time-overlap")
    assert (finding.column, finding.rows) == ("day", 10)
    assert "time-overlap" not in codes(check(train, test.slice(10), time="day"))


def test_sums_of_chunks_are_the_sums_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = LogSchema.parse({**BASE, "categorical": ["shop", "again", "one"]})
    frame = log().with_columns(again=pl.col("shop"), one=pl.lit("1"))
    frame = frame.with_columns(price=pl.when(pl.int_range(ROWS) % 9 > 0).then("price"))
    whole, merged = ColumnChecks(schema), ColumnChecks(schema)
    labels, parts = LabelCounts(), LabelCounts()
    canonical = frame.rename({"buy": "conversion"})
    whole.add(canonical)
    labels.add(canonical["click"], canonical["conversion"])
    for part in canonical.iter_slices(701):
        other, counts = ColumnChecks(schema), LabelCounts()
        other.add(part)
        counts.add(part["click"], part["conversion"])
        merged.merge(other)
        parts.merge(counts)
    assert labels == parts
    assert (whole.rows, whole.missing, whole.constant) == (
        merged.rows,
        merged.missing,
        merged.constant,
    )
    assert whole.equal == merged.equal
    assert checks_columns.MOSTLY_MISSING > whole.missing_share("price") > 0
    spans = TimeSpan(), TimeSpan()
    spans[0].add(pl.Series([1.0, None]))
    spans[1].add(pl.Series([3.0]))
    spans[0].merge(spans[1])
    assert spans[0].latest == 3.0


@pytest.mark.parametrize("chunks", list(permutations(range(4))))
def test_equal_columns_are_found_in_any_order_of_chunks(chunks: tuple[int, ...]) -> None:
    """Also where they are constant in one chunk, and where others agree in all chunks but one."""
    schema = LogSchema.parse({**BASE, "categorical": list("abcde"), "numeric": []})
    parts = [
        pl.DataFrame({name: list(values) for name, values in zip("abcde", texts, strict=True)})
        for texts in (
            ("xxx", "xxx", "xxx", "yyy", "xxx"),
            ("xyz", "xyz", "xyz", "xyz", "xzy"),
            ("yzx", "yzx", "xxz", "yzx", "yzx"),
            ("", "", "", "", ""),
        )
    ]
    added, merged = ColumnChecks(schema), ColumnChecks(schema)
    for k in chunks:
        added.add(parts[k].cast(pl.String))
        other = ColumnChecks(schema)
        other.add(parts[k].cast(pl.String))
        merged.merge(other)
    for found in (added, merged):
        assert found.equal == {frozenset("ab")}
        (finding,) = found.train_findings()
        assert (finding.code, finding.column) == ("duplicated-column", "b")
