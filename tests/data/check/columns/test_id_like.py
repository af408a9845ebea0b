"""Numbers that look like ids: named by `check`, whatever the order of the chunks."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postclick.data.check.check_log import check_log
from postclick.data.check.columns.id_like import IdLikeNumbers
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema

ROWS = 3000
RNG = np.random.default_rng(0)
HASHES = RNG.integers(-(2**63), 2**63 - 1, ROWS)
NUMBERS = {
    "signed hashes": (HASHES, True),
    "hashes as text": (HASHES.astype(str).tolist(), True),
    "unsigned 32 bits": (RNG.integers(0, 2**32, ROWS), True),
    "a third beyond": (np.where(RNG.random(ROWS) < 0.34, HASHES, RNG.integers(0, 99, ROWS)), True),
    "few": (RNG.choice(HASHES[:20], ROWS), False),
    "small": (RNG.integers(0, 2**30, ROWS), False),
    "times": (1_700_000_000_000 + RNG.integers(0, 10**10, ROWS), False),
    "skewed amounts": (np.round(np.exp(12 + 5 * RNG.normal(size=ROWS))), False),
    "fractions": (RNG.normal(size=ROWS) * 1e12 + 0.5, False),
    "one sentinel": (
        np.where(RNG.random(ROWS) < 0.1, -999999999999, RNG.integers(0, 99, ROWS)),
        False,
    ),
    "missing": (pl.Series([None] * ROWS, dtype=pl.Float64), False),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_which_numbers_look_like_ids(case: str) -> None:
    values, expected = NUMBERS[case]
    click = RNG.random(ROWS) < 0.5
    log = pl.DataFrame({"c": click, "v": click & (RNG.random(ROWS) < 0.5), "x": values})
    schema = LogSchema.parse({"click": "c", "conversion": "v", "numeric": ["x"]})
    report = check_log(schema, FrameSource(log))
    found = [f for f in report.findings if f.code == "numeric-id"]
    assert len(found) == expected
    if expected:
        assert found[0].severity == "warning"
        beyond = int((pl.Series(values).cast(pl.Float64).abs() > 2**31).sum())
        assert f"{beyond:,} of {ROWS:,} rows" in found[0].message
        assert found[0].message.endswith("list it under categorical or hashed")


def test_chunks_in_any_order_say_the_same() -> None:
    values = np.concatenate([HASHES, np.arange(ROWS)]).astype(float)
    frame = pl.DataFrame({"x": values})
    messages = set()
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        parts = [IdLikeNumbers(["x"]) for _ in order]
        whole = IdLikeNumbers(["x"])
        for part, k in zip(parts, order, strict=True):
            part.add(frame.slice(k * 2000, 2000))
            whole.add(frame.slice(k * 2000, 2000))
        for other in parts[1:]:
            parts[0].merge(other)
        messages |= {f.message for one in (parts[0], whole) for f in one.findings()}
        assert len(parts[0].findings()) == len(whole.findings()) == 1
    assert len(messages) == 1


@given(data=st.data(), fractions=st.sampled_from([0, 1, 200]), small=st.sampled_from([0, 300, 999]))
@settings(max_examples=40)
def test_chunks_of_any_size_say_the_same(data: st.DataObject, fractions: int, small: int) -> None:
    parts = [HASHES[:200].astype(float), np.arange(fractions) + 0.5, np.arange(float(small))]
    values = np.concatenate([parts[k] for k in data.draw(st.permutations(range(3)))])
    cuts = data.draw(st.lists(st.integers(0, len(values)), max_size=4))
    edges = sorted({0, *cuts, len(values)})
    whole, chunks = IdLikeNumbers(["x"]), IdLikeNumbers(["x"])
    whole.add(pl.DataFrame({"x": values}))
    for start, end in pairwise(edges):
        one = IdLikeNumbers(["x"])
        one.add(pl.DataFrame({"x": values[start:end]}))
        chunks.merge(one)
    assert [f.message for f in chunks.findings()] == [f.message for f in whole.findings()]
    assert len(whole.findings()) == (fractions == 0)
