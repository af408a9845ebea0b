"""Benchmarks of what models and figures are worth run on a few rows and say what they should."""

import math

import pytest

from helpers.benchmarks import run
from postclick.nn.backbones import BACKBONES


@pytest.mark.slow
def test_backbones_are_compared_over_seeds() -> None:
    found = run("backbone_quality.py", "--rows", 6000, "--seeds", 2, "--logs", "confounded")
    assert set(found["lines"]) == {
        f"confounded {m}" for m in ("ctr_auc", "cvr_auc", "true_cvr_auc")
    }
    for line in found["lines"].values():
        assert set(line) == set(BACKBONES)
        assert 0.4 < float(line["share_bottom"]) < 1
        assert all("p " in line[name] for name in BACKBONES if name != "share_bottom")


@pytest.mark.slow
def test_quality() -> None:
    found = run("quality.py", "--rows", 8000, "--seeds", 1)["results"]
    assert len(found) == 2 * 3 * 3
    assert all(0 < entry["mean"] < 1 for entry in found.values())
    exact = [entry for name, entry in found.items() if name.endswith(" exact_adam")]
    assert [entry["difference"] for entry in exact] == [0] * 6
    assert any(entry["largest"] for entry in found.values())


@pytest.mark.slow
def test_exact_auc() -> None:
    found = run("exact_auc.py", "--rows", 20_000, "--rounds", 2)
    assert found["difference"] <= 1e-12
    assert found["ratio"] > 0
    assert set(found["sides"]) == {"postclick", "scikit-learn"}


@pytest.mark.slow
def test_the_entire_space_is_held_against_the_truth() -> None:
    found = run(
        *("entire_space.py", "--draws", 2, "--rows", 4000),
        *("--worlds", "confounded", "hidden", "--clips", 0.01),
    )
    assert found["draws"] == 2
    by_world = dict.fromkeys(("confounded", "hidden"), 0)
    for one in found["results"]:
        by_world[one["world"]] += 1
        assert 0 <= one["held"] <= 1
        assert math.isfinite(one["mean"])
    # Four figures of clicks; of three propensities four by two estimators, and five of balance.
    assert by_world == {"confounded": 4 + 3 * (8 + 5), "hidden": 4 + 3 * (8 + 5)}


def test_coverage_falls_by_rows_and_holds_by_group() -> None:
    found = run("interval_coverage.py", "--draws", 60, "--rows", 1500)
    assert set(found["coverage"]) == {"1", "5", "50"}
    for figure in ("AUC difference", "NLL difference", "PCOC"):
        by_rows, by_group = (found["coverage"]["50"][how][figure] for how in ("rows", "group"))
        assert by_rows < by_group - 0.05
        assert by_group > 0.75
        assert found["coverage"]["1"]["rows"][figure] > 0.85
