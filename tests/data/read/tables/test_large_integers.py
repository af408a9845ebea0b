"""Integers of 128 bits, which Arrow has no type for, in frames of polars."""

import polars as pl
import pytest

from postclick.data.read.opening import open_log
from postclick.data.read.tables.in_memory import frame_with

LARGE = [2**100, None]


@pytest.mark.parametrize("kind", [pl.Int128, pl.UInt128])
@pytest.mark.parametrize("lazy", [True, False])
def test_they_are_read_and_do_not_stand_in_the_way(kind: type[pl.DataType], lazy: bool) -> None:
    frame = pl.DataFrame({"a": [1, 2], "large": pl.Series(LARGE, dtype=kind)})
    frame = frame.with_columns(pl.struct(x="a", y=pl.struct("large")).alias("r"))
    log = open_log(frame.lazy() if lazy else frame)
    assert log.columns == ("a", "large", "r.x", "r.y.large")
    (some,) = log.frames(["a", "r.x"])
    assert some.rows() == [(1, 1), (2, 2)]
    (all_of_it,) = log.frames(["r.y.large", "large"])
    assert all_of_it.rows() == [(LARGE[0], LARGE[0]), (None, None)]
    assert log.state() == open_log(frame.lazy() if lazy else frame).state()
    assert frame_with(frame, ["a", "large"]).rows() == [(1, LARGE[0]), (2, None)]
