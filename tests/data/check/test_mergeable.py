"""Facts that add up over chunks: the same in any chunks, any order, and any tree of merges."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.checked import BASE
from postclick.data import manifest as m
from postclick.data.check.columns.groups import GroupCounts
from postclick.data.check.columns.labels import LabelCounts
from postclick.data.check.columns.value_findings import value_findings
from postclick.data.check.columns.whole_columns import ColumnChecks
from postclick.data.check.leakage import LeakSample
from postclick.data.check.splits.overlap import KeySketch, TimeSpan
from postclick.data.encode.scaling import EdgeSample
from postclick.data.numbers.moments import Moments
from postclick.data.read.canonical import ROW, Canonicalizer, Issues
from postclick.data.row_hash import SAMPLE, hashes_of, row_hash
from postclick.data.schema import LogSchema

Rows = list[Any]
# How a fact is made of rows, and what is to be the same of it.
Fact = tuple[Callable[[], Any], Callable[[Any, Rows], None], Callable[[Any], Any]]


def chunks_of(rows: Rows, random: Random) -> list[Rows]:
    mixed = random.sample(rows, len(rows))
    cuts = sorted(random.choices(range(len(mixed) + 1), k=random.randrange(6)))
    return [mixed[a:b] for a, b in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]


def same_in_any_order(fact: Fact, rows: Rows, random: Random) -> None:
    make, add, look = fact
    whole = make()
    add(whole, rows)
    chunks, added, merged = chunks_of(rows, random), make(), []
    for chunk in chunks:
        add(added, chunk)
        merged.append(make())
        add(merged[-1], chunk)
    while len(merged) > 1:
        other = merged.pop(random.randrange(len(merged)))
        merged[random.randrange(len(merged))].merge(other)
    assert look(added) == look(whole)
    assert look(merged[0]) == look(whole)


COLUMNS = LogSchema.parse({**BASE, "categorical": list("abcd"), "numeric": ["x", "y", "z"]})
TEXT, NUMBER = st.sampled_from([None, "p", "q"]), st.sampled_from([None, 0.0, -0.0, 1.0])
# Most rows agree in most columns: equal and constant columns are what is looked for.
ROW_OF_COLUMNS = st.tuples(TEXT, NUMBER).flatmap(
    lambda shared: st.tuples(
        *([st.just(shared[0]) | st.just(shared[0]) | TEXT] * 4),
        *([st.just(shared[1]) | st.just(shared[1]) | NUMBER] * 3),
    )
)


def add_columns(checks: ColumnChecks, rows: Rows) -> None:
    kinds = dict.fromkeys("abcd", pl.String()) | dict.fromkeys("xyz", pl.Float64())
    checks.add(pl.DataFrame(rows, schema=kinds, orient="row"))


def look_at_columns(checks: ColumnChecks) -> Any:
    return [checks.rows, checks.missing, checks.train_findings(), checks.missing_findings("train")]


@settings(max_examples=80)
@given(st.lists(ROW_OF_COLUMNS, max_size=12), st.randoms(use_true_random=False))
def test_columns(rows: Rows, random: Random) -> None:
    same_in_any_order((lambda: ColumnChecks(COLUMNS), add_columns, look_at_columns), rows, random)


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.sampled_from(["p", None, "q"]), min_size=3, max_size=3), max_size=9),
    st.sampled_from([("a", "b"), ("b", "c"), ("a", "c")]),
    st.randoms(use_true_random=False),
)
def test_equal_columns_are_those_that_polars_finds_equal(
    rows: Rows, pair: tuple[str, str], random: Random
) -> None:
    """Also where they are constant in some chunks."""
    schema = LogSchema.parse({**BASE, "categorical": list("abc"), "numeric": []})
    frame = pl.DataFrame(rows, schema=dict.fromkeys("abc", pl.String()), orient="row")
    frame = frame.with_columns(pl.col(pair[0]).alias(pair[1]))
    checks = ColumnChecks(schema)
    for chunk in chunks_of(frame.rows(), random):
        checks.add(pl.DataFrame(chunk, schema=frame.schema, orient="row"))
    found = {f.column for f in checks.train_findings() if f.code == "duplicated-column"}
    varies = frame[pair[0]].n_unique() > 1
    assert (pair[1] in found) == varies
    constant = {f.column for f in checks.train_findings() if f.code == "constant-column"}
    assert constant == {
        c for c in "abc" if len(rows) > 1 and frame[c].n_unique() == 1 and frame[c][0] is not None
    }


def add_keys(sketch: KeySketch, rows: Rows) -> None:
    sketch.add(np.array(rows, dtype=np.uint64))


def look_at_keys(sketch: KeySketch) -> Any:
    rows, followed = sketch.counts()
    other = KeySketch(7)
    other.add(row_hash(0, 30, 0, 1))
    return rows.tolist(), followed, sketch.rows_in(other), other.rows_in(sketch)


HASHES = st.lists(st.sampled_from(row_hash(0, 60, 0, 1).tolist()), max_size=200)


@settings(max_examples=60)
@given(HASHES, st.sampled_from([1, 5, 20, 100]), st.randoms(use_true_random=False))
def test_keys(rows: Rows, most: int, random: Random) -> None:
    same_in_any_order((lambda: KeySketch(most), add_keys, look_at_keys), rows, random)


def add_groups(counts: GroupCounts, rows: Rows) -> None:
    counts.add(np.array(rows, dtype=np.int64))


@given(st.lists(st.integers(-3, 3)), st.randoms(use_true_random=False))
def test_groups(rows: Rows, random: Random) -> None:
    def look(counts: GroupCounts) -> Any:
        return counts.rows, counts.missing, counts.groups(), counts.largest()

    same_in_any_order((GroupCounts, add_groups, look), rows, random)


@given(
    st.lists(st.none() | st.floats(-5, 5)),
    st.none() | st.just(1.0),
    st.randoms(use_true_random=False),
)
def test_times(rows: Rows, after: float | None, random: Random) -> None:
    def add(span: TimeSpan, some: Rows) -> None:
        span.add(pl.Series(some, dtype=pl.Float64), after)

    same_in_any_order((TimeSpan, add, lambda span: (span.latest, span.early)), rows, random)


@given(st.lists(st.tuples(*[st.sampled_from([None, 0, 1])] * 2)), st.randoms(use_true_random=False))
def test_labels(rows: Rows, random: Random) -> None:
    def add(counts: LabelCounts, some: Rows) -> None:
        click, conversion = zip(*some, strict=True) if some else ((), ())
        counts.add(pl.Series(click, dtype=pl.Int8), pl.Series(conversion, dtype=pl.Int8))

    same_in_any_order((LabelCounts, add, vars), rows, random)


ISSUES = LogSchema.parse({**BASE, "categorical": ["x"], "numeric": ["y"], "time": "t"})
VALUES = st.sampled_from(["1", "1.0", "one", "-", "?", "inf", "2026-01-05", "05.01.2026"])


@settings(max_examples=40)
@given(st.lists(st.tuples(VALUES, VALUES, VALUES)), st.randoms(use_true_random=False))
def test_issues(rows: Rows, random: Random) -> None:
    """The same findings in the same order; only the values that they show may be others."""
    reader = Canonicalizer(ISSUES, ["click", "buy", "x", "y", "t"])

    def add(issues: Issues, some: Rows) -> None:
        frame = pl.DataFrame(some, schema=dict.fromkeys("xyt", pl.String()), orient="row")
        reader.convert(frame.with_columns(click=1, buy=0), issues)

    def look(issues: Issues) -> Any:
        found = value_findings(ISSUES, "train", issues, 10)
        return issues.rows, [(f.code, f.column, f.rows, f.message.split("(")[0]) for f in found]

    same_in_any_order((Issues, add, look), rows, random)


NUMBERED = st.integers(0, 60).flatmap(
    lambda n: st.lists(st.floats(-1e6, 1e6), min_size=n, max_size=n)
).map(lambda values: list(enumerate(values)))  # fmt: skip


@settings(max_examples=50)
@given(NUMBERED, st.sampled_from([5, 1000]), st.randoms(use_true_random=False))
def test_edges(rows: Rows, size: int, random: Random) -> None:
    def add(sample: EdgeSample, some: Rows) -> None:
        some = sorted(some)
        numbers = np.array([n for n, _ in some], dtype=np.int64)
        sample.add(np.array([v for _, v in some]), hashes_of(numbers, 0, SAMPLE))

    same_in_any_order((lambda: EdgeSample(size), add, lambda s: s.edges(4)), rows, random)


@given(st.lists(st.floats(-1e6, 1e6)), st.randoms(use_true_random=False))
def test_moments(rows: Rows, random: Random) -> None:
    """Sums of floats depend on their order in the last digits."""

    def look(moments: Moments) -> Any:
        mean = pytest.approx(moments.mean, rel=1e-9, abs=1e-6)
        squares = pytest.approx(moments.squares, rel=1e-9, abs=1e-3)
        return [moments.count, moments.low, moments.high, mean, squares]

    def add(moments: Moments, some: Rows) -> None:
        moments.add(np.array(some, dtype=np.float64))

    make, whole = Moments, Moments()
    add(whole, rows)
    merged = [make() for _ in range(3)]
    for k, chunk in enumerate(chunks_of(rows, random)):
        add(merged[k % 3], chunk)
    merged[1].merge(merged[2])
    merged[1].merge(merged[0])
    found = merged[1]
    assert [found.count, found.low, found.high, found.mean, found.squares] == look(whole)


@pytest.mark.parametrize("seed", range(5))
def test_samples_for_leakage(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNCLICKED_ROWS", "CLICKED_ROWS", "CONVERTED_ROWS"):
        monkeypatch.setattr(f"postclick.data.check.leakage.{name}", 20)
    schema, rng = LogSchema.parse(BASE), np.random.default_rng(seed)
    clicks = rng.random(300) < 0.5
    frame = pl.DataFrame(
        {
            ROW: np.arange(300),
            m.CLICK: clicks.astype(np.int8),
            m.CONVERSION: (clicks & (rng.random(300) < 0.4)).astype(np.int8),
            "shop": rng.choice(["a", "b"], 300),
            "price": rng.random(300),
        }
    )

    def add(sample: LeakSample, rows: Rows) -> None:
        if rows:
            sample.add(pl.DataFrame(sorted(rows), schema=frame.schema, orient="row"))

    def look(sample: LeakSample) -> Any:
        found = sample.result()
        assert found is not None
        return [
            found.features.rows(),
            *(a.tolist() for a in (found.click, found.weight, found.fit)),
        ]

    same_in_any_order((lambda: LeakSample(schema, 0), add, look), frame.rows(), Random(seed))
