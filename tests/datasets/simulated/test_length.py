"""Logs of so many expected conversions."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.commands import succeed
from postclick.datasets.simulated import simulate
from postclick.datasets.simulated.length import MOST_ROWS, rows_for, split_rows
from postclick.errors import InputError

RATES = st.floats(0.1, 0.9)


@given(st.integers(1_000, 50_000), RATES, RATES, st.floats(0.01, 0.9))
def test_rows_are_the_fewest_that_give_them(n: int, ctr: float, cvr: float, test: float) -> None:
    rows = rows_for(n, ctr, cvr, test)
    assert split_rows(rows, test)[0] * ctr * cvr >= n * (1 - 1e-9)
    assert split_rows(rows - 1, test)[0] * ctr * cvr < n
    assert sum(split_rows(rows, test)) == rows


@pytest.mark.parametrize("conversions", [100, 1_000, 10_000])
@pytest.mark.parametrize("world", ["independent", "confounded", "interactions"])
def test_the_training_split_has_them_in_expectation(world: str, conversions: int) -> None:
    log = simulate(world, seed=6, conversions=conversions, ctr=0.3, cvr=0.3)
    assert log.settings["conversions"] == conversions
    assert log.settings["rows"] == log.train.height + log.test.height
    assert log.train.height * 0.09 == pytest.approx(conversions, abs=0.09)
    expected = float((log.train["true_ctr"] * log.train["true_cvr"]).sum())
    assert expected == pytest.approx(conversions, rel=0.04)
    assert abs(log.train["conversion"].sum() - expected) < 4.5 * conversions**0.5
    same = simulate(world, int(log.settings["rows"]), 6, ctr=0.3, cvr=0.3)
    assert same.train.equals(log.train)


@pytest.mark.parametrize("conversions", [100, 316, 1_000, 3_162, 10_000, 31_623, 100_000])
def test_a_learning_curve_fits_into_one_pair_of_rates(conversions: int) -> None:
    assert 1_000 <= rows_for(conversions, 0.2, 0.2, 0.25) <= 3_333_334 < MOST_ROWS
    # And into the defaults of the worlds.
    assert rows_for(conversions, 0.05, 0.03, 0.25) <= MOST_ROWS


def test_what_cannot_be_had_is_told_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="177,777,778 rows .* at most 100,000,000: raise ctr"):
        simulate(conversions=200_000)
    with pytest.raises(InputError, match="at least 1,000: lower ctr or cvr, or ask for more"):
        simulate(conversions=100, ctr=0.9, cvr=0.9)
    with pytest.raises(InputError, match="rows and conversions both say how long"):
        simulate(rows=5_000, conversions=100)
    with pytest.raises(InputError, match="conversions"):
        simulate(conversions=0)


def test_the_command(tmp_path: Path) -> None:
    rates = ("--ctr", "0.2", "--cvr", "0.2")
    succeed("simulate", tmp_path / "log", "--world", "interactions", "--conversions", "150", *rates)
    settings = json.loads((tmp_path / "log" / "world.json").read_text(encoding="utf-8"))["settings"]
    assert (settings["rows"], settings["conversions"]) == (5_000, 150)
