"""The benchmark scripts run, at sizes that measure nothing, and print what they say they do."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks"
PACKAGES = {
    "torch-rechub": "torch_rechub",
    "DeepCTR-Torch": "deepctr_torch",
    "FuxiCTR": "fuxictr",
}
OURS = ("postclick", "postclick exact_adam", "postclick bf16")


def run_script(name: str, *arguments: str) -> dict[str, Any]:
    """Its last line, parsed; there has to be a table before it."""
    command = [sys.executable, str(SCRIPTS / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *table, last = done.stdout.splitlines()
    assert len(table) >= 3
    found: dict[str, Any] = json.loads(last)
    return found


@pytest.fixture(scope="module")
def peers() -> dict[str, Any]:
    return run_script("peers.py", "--rows", "6000", "--rounds", "1", "--batch", "3000")


@pytest.mark.slow
def test_peers_says_what_it_ran(peers: dict[str, Any]) -> None:
    assert (peers["rows"], peers["rounds"], peers["batch"]) == (6000, 1, 3000)
    assert set(peers["sides"]) | set(peers["left_out"]) == {*PACKAGES, *OURS}
    assert peers["threads"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("side", OURS)
def test_postclick_has_rates_and_aucs(peers: dict[str, Any], side: str) -> None:
    check_side(peers, side)


@pytest.mark.slow
@pytest.mark.parametrize("side", PACKAGES)
def test_a_peer_has_rates_and_aucs(peers: dict[str, Any], side: str) -> None:
    if find_spec(PACKAGES[side]) is None:
        assert side in peers["left_out"]
        pytest.skip(f"{side} is not installed: {peers['left_out'][side]}")
    check_side(peers, side)
    if side == "torch-rechub":
        assert peers["sides"][side]["train_over_rechub"] == 1
        assert peers["sides"][side]["eval_over_rechub"] == 1


def check_side(peers: dict[str, Any], side: str) -> None:
    row = peers["sides"][side]
    assert row["train_rows_per_s"] > 0
    assert row["eval_rows_per_s"] > 0
    assert 0 < row["ctr_auc"] < 1
    assert 0 < row["ctcvr_auc"] < 1
    for word, stage in (("train", "training"), ("eval", "scoring")):
        assert (row[f"{word}_over_rechub"] is None) == ("torch-rechub" in peers["left_out"])
        best = peers["best_peer"].get(stage)
        assert (row[f"{word}_over_best_peer"] is None) == (best is None)
        if best == side:
            assert row[f"{word}_over_best_peer"] == 1


@pytest.mark.slow
def test_floor_has_both_precisions_parts_and_memory() -> None:
    found = run_script("floor.py", "--rows", "9000", "--rounds", "1")
    assert found["rows"] == 8192  # whole batches
    assert set(found["precisions"]) == {"fp32", "bf16"}
    for entry in found["precisions"].values():
        passes = entry["passes"]
        assert passes["floor_ms"] == pytest.approx(sum(entry["floor"].values()), abs=0.01)
        for mine, base in (("train", "floor"), ("train", "bare"), ("call", "bare")):
            ratio = passes[f"{mine}_ms"] / passes[f"{base}_ms"]
            assert passes[f"{mine}_over_{base}"] == pytest.approx(ratio, abs=0.01)
        bounded = {part for part, row in entry["profile"].items() if row["floor_ms"]}
        assert set(entry["profile"]) - bounded == {"take batch", "meter"}
        assert all(row["ms"] > 0 for row in entry["profile"].values())
    assert found["peak_mb"]["train"] > found["peak_mb"]["import"] > 0


def test_floor_refuses_less_than_a_batch() -> None:
    command = [sys.executable, str(SCRIPTS / "floor.py"), "--rows", "100"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--rows must be 4096 or more" in done.stderr


@pytest.mark.slow
def test_table_growth_has_every_size_and_the_ratio() -> None:
    sizes = ("--millions", "0.2", "0.1")
    found = run_script("table_growth.py", "--rows", "5000", "--rounds", "1", *sizes)
    small, large = found["tables"]["0.1M"], found["tables"]["0.2M"]
    assert small["table_rows"] == pytest.approx(100_000, abs=10)
    assert large["table_rows"] == pytest.approx(200_000, abs=10)
    for row in (small, large):
        assert row["ms_per_step"] < row["ms_per_step_all"]
        assert row["catch_up_ms"] > 0
    ratio = large["ms_per_step"] / small["ms_per_step"]
    assert found["largest_over_smallest"]["ms_per_step"] == pytest.approx(ratio, abs=0.01)
