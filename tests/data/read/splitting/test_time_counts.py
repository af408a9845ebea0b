"""Counts of times: the same in any chunks and order, and beside a count of everything."""

from collections import Counter
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postclick.data.read.splitting.boundaries import find_boundaries
from postclick.data.read.splitting.time_counts import TimeCounts, TimeKinds
from postclick.data.read.values.times import KINDS, to_time
from postclick.errors import InputError

VALUES = st.lists(st.sampled_from([None, *range(12)]) | st.floats(-4, 40), max_size=60)


def counted(values: list[float | None], max_times: int = 4_000_000) -> TimeCounts:
    counts = TimeCounts(max_times)
    counts.add(to_time(pl.Series(values, dtype=pl.Float64)))
    return counts


def facts(counts: TimeCounts) -> list[object]:
    times, rows = counts.table()
    kinds = counts.kinds.rows.tolist()
    return [times.tolist(), rows.tolist(), kinds, counts.unreadable.rows, counts.exact]


@given(VALUES, st.randoms(), st.sampled_from([5, 17, 1000]))
def test_any_chunks_in_any_order(values: list[float | None], random: Random, most: int) -> None:
    whole = counted(values, most)

    mixed = random.sample(values, len(values))
    cuts = sorted(random.choices(range(len(mixed) + 1), k=4))
    parts = [mixed[a:b] for a, b in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]
    added = TimeCounts(most)
    for part in parts:
        added.add(to_time(pl.Series(part, dtype=pl.Float64)))
    merged = [counted(part, most) for part in parts]
    while len(merged) > 1:  # any tree
        other = merged.pop(random.randrange(len(merged)))
        merged[random.randrange(len(merged))].merge(other)
    assert facts(added) == facts(merged[0]) == facts(whole)
    times, rows = whole.table()
    present = [v for v in values if v is not None]
    assert rows.sum() == len(present)
    assert len(times) <= most
    if whole.exact:
        assert dict(zip(times.tolist(), rows.tolist(), strict=True)) == dict(Counter(present))


@pytest.mark.parametrize("scale", [1.0, 1e6, 2.0**-20])
def test_many_times_are_counted_in_short_intervals(scale: float) -> None:
    raw = np.random.default_rng(0).integers(0, 10**7, 50_000) * scale
    values = to_time(pl.Series(raw)).time.to_numpy()
    counts = TimeCounts(1000)
    for part in np.split(raw, 10):
        counts.add(to_time(pl.Series(part)))
    times, rows = counts.table()
    assert not counts.exact
    assert 500 < len(times) <= 1000
    width = np.diff(times).min()
    assert bool((times / width == np.floor(times / width)).all())
    for time, count in list(zip(times, rows, strict=True))[::97]:
        assert ((values >= time) & (values < time + width)).sum() == count


def best(values: list[float], end: float, share: float, before: int) -> float:
    """The start of a split that ends before `end`, by trying every time; the latest of the best."""
    wanted = sum(v >= end for v in values) + share * len(values)
    starts = [t for t in sorted(set(values))[before:] if t < end]
    return min(reversed(starts), key=lambda t: abs(sum(v >= t for v in values) - wanted))


@given(
    st.lists(st.integers(0, 15).map(float), min_size=4, max_size=80),
    st.floats(0.01, 0.49),
    st.floats(0.01, 0.49),
)
def test_boundaries_by_shares(values: list[float], valid: float, test: float) -> None:
    counts, shares = counted(list(values)), {"valid": valid, "test": test}
    if len(set(values)) < 3:
        with pytest.raises(InputError, match="different times, too few"):
            find_boundaries(counts, "day", shares, {})
        return
    last = best(values, np.inf, test, 2)
    found = find_boundaries(counts, "day", shares, {})
    assert found.starts == {"valid": best(values, last, valid, 1), "test": last}


def test_boundaries_by_dates() -> None:
    counts = counted([1.0, 2.0, 2.0, 3.0, 5.0])
    both = {"valid": 0.0, "test": 0.0}
    assert find_boundaries(counts, "day", both, {"valid": 2, "test": "4"}).starts == {
        "valid": 2.0,
        "test": 4.0,
    }
    shared = find_boundaries(counts, "day", {"valid": 0.2, "test": 0.0}, {"test": 4}).starts
    assert shared == {"valid": 3.0, "test": 4.0}
    for dates in ({"test": 2}, {"test": 1}, {"valid": 1}, {"valid": 0.5, "test": 4}):
        with pytest.raises(InputError, match=r"_from is .*too few of them before it to train on"):
            find_boundaries(counts, "day", {"valid": 0.2, "test": 0.2}, dates)
    with pytest.raises(InputError, match="not before test begins"):
        find_boundaries(counts, "day", both, {"valid": 4, "test": 4})


def test_kinds_add_up() -> None:
    one, other = TimeKinds(), TimeKinds()
    one.add(to_time(pl.Series(["2026-01-05", "7", None])).kind)
    other.add(to_time(pl.Series([1_700_000_000, 1_700_000_000_000])).kind)
    other.merge(one)
    assert other.present() == {
        "ordinals": 1,
        "epoch seconds": 1,
        "epoch milliseconds": 1,
        "dates": 1,
    }
    assert other.rows.tolist()[0] == 1
    assert len(other.rows) == len(KINDS)
