"""A bundle of each format, written by the first version that had it, still gives its scores."""

from pathlib import Path

import polars as pl
import pytest

from postclick.serving.bundle.bundle import Bundle
from postclick.serving.bundle.bundle_files import READABLE

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


def test_format_2_reads_a_user_apart() -> None:
    bundle = Bundle.open(DATA / "format_2", threads=1)
    assert bundle.info.user_features == ("user", "age", "tags")
    rows = pl.read_csv(DATA / "rows.csv")
    expected = pl.read_csv(DATA / "scores_2.csv")
    for row in range(rows.height):
        theirs = list(bundle.info.user_features)
        user, candidates = rows[row].select(theirs), rows[row].drop(theirs)
        found = bundle.score_candidates(user, pl.concat([candidates] * 3))
        for name in expected.columns:
            assert (found[name] - expected[name][row]).abs().max() < 1e-6
