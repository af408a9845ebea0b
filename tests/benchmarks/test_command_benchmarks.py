"""Benchmarks of preparing, starting and scoring run on a few rows and say what they should."""

import pytest

from helpers.benchmarks import run


@pytest.mark.slow
def test_prepare() -> None:
    found = run("prepare.py", "--rows", 4000, "--rounds", 1)
    assert set(found["sides"]) == {"postclick.prepare", "polars.read_csv"}
    assert found["csv_bytes"] > 4000 * 25 * 2
    assert found["ratio"] > 0


@pytest.mark.slow
def test_startup() -> None:
    found = run("startup.py", "--rounds", 1)["commands"]
    assert found["python -c pass"]["over_bare_s"] == 0
    assert found["postclick --help"]["seconds"] > found["python -c pass"]["seconds"] > 0


@pytest.mark.slow
def test_scoring() -> None:
    found = run("scoring.py", "--rows", 3000, "--rounds", 1, "--ids", "dense", "text")
    assert found["rows"] == 3000 and set(found["ids"]) == {"dense", "text"}
    for sides in found["ids"].values():
        assert sides["model"]["over_model"] == 1
        assert all(sides[side]["rows_per_s"] > 0 for side in ("score", "encode", "read"))
        request = sides["request"]
        assert 0 < request["encode_p50"] < request["rows_p50"] <= request["rows_p99"]
        assert 0 < request["network_p50"] < request["apart_p50"]
