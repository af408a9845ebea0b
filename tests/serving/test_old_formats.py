"""A bundle of each format, written by the first version that had it, still gives its scores."""

from pathlib import Path

import polars as pl
import pytest

from postclick.serving.bundle import Bundle
from postclick.serving.format import READABLE

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("number", READABLE)
def test_it_loads_and_scores(number: int) -> None:
    bundle = Bundle.open(DATA / f"format_{number}", threads=1)
    assert bundle.info.format == number
    found = bundle.score(pl.read_csv(DATA / "rows.csv"))
    expected = pl.read_csv(DATA / f"scores_{number}.csv")
    assert found.columns == expected.columns and found.height == 24
    for name in expected.columns:
        assert (found[name] - expected[name]).abs().max() < 1e-6
        assert found[name].n_unique() > 10
