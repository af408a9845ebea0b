"""A bundle of format 1, written by the first version that had bundles, still gives its scores."""

from pathlib import Path

import polars as pl

from postclick.serving.bundle import Bundle

DATA = Path(__file__).parent / "data"


def test_format_1_loads_and_scores() -> None:
    bundle = Bundle.open(DATA / "format_1", threads=1)
    assert bundle.info.format == 1
    found = bundle.score(pl.read_csv(DATA / "rows.csv"))
    expected = pl.read_csv(DATA / "scores.csv")
    assert found.columns == expected.columns and found.height == 24
    for name in expected.columns:
        assert (found[name] - expected[name]).abs().max() < 1e-6
        assert found[name].n_unique() > 10
