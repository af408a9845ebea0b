"""Benchmarks of training run from end to end on a few rows and say what they should."""

import math
from pathlib import Path

import pytest

from helpers.benchmarks import run
from postclick.nn.backbones import BACKBONES


@pytest.mark.slow
def test_methods_cost() -> None:
    found = run(
        "methods.py",
        "--rows",
        6000,
        "--rounds",
        1,
        "--evi-rows",
        0,
        "--methods",
        "choruscvr",
        "ukd",
    )
    methods = found["methods"]
    assert set(methods) == {"esmm", "choruscvr", "ukd"}
    assert methods["esmm"]["cost_over_esmm"] == 1
    assert {name: entry["passes"] for name, entry in methods.items()} == {
        "esmm": 1,
        "choruscvr": 1,
        "ukd": 2,
    }
    assert all(entry["us_per_row"] > 0 for entry in methods.values())
    assert found["evi"] is None
    assert found["backbone"] == "share_bottom"


@pytest.mark.slow
def test_every_backbone_is_measured() -> None:
    sides = run("backbones.py", "--steps", 1)["sides"]
    assert set(BACKBONES) - {"share_bottom"} < set(sides)
    assert sides["mmoe, torch's dropout"]["over"] == "mmoe"
    for side in sides.values():
        assert (
            min(side[n] for n in ("cost", "ms_per_step", "ms_of_the_other", "rows_per_second")) > 0
        )


@pytest.mark.slow
def test_rowwise_adam() -> None:
    found = run("rowwise_adam.py", "--table", 5000, "--rounds", 1, "--steps", 6)
    ours = {"RowwiseAdam sparse", "RowwiseAdam lazy", "RowwiseAdam exact"}
    assert set(found["sides"]) == {"torch SparseAdam", "torch Adam, dense", *ours}
    assert all(side["ms_per_step"] > 0 for side in found["sides"].values())
    assert found["sides"]["torch SparseAdam"]["sparse_adam_over_this"] == 1
    assert found["sides"]["torch Adam, dense"]["dense_adam_over_this"] == 1
    assert found["off"].keys() == {"RowwiseAdam sparse", "RowwiseAdam exact"}
    assert max(found["off"].values()) <= 1e-5


def test_rowwise_adam_wants_steps_to_time() -> None:
    with pytest.raises(AssertionError, match="--steps must be more than the 5"):
        run("rowwise_adam.py", "--steps", 5)


@pytest.mark.slow
def test_streaming() -> None:
    found = run("streaming.py", "--rows", 65_536, "--rounds", 1)
    assert found["rows"] == 65_536
    assert found["two_shards_bytes"] < found["cap_bytes"] == found["log_bytes"] // 4
    assert set(found["sides"]) == {"memory", "streamed", "control"}
    assert all(side["peak_mb"] > 0 for side in found["sides"].values())
    assert found["first_epoch_ratio"] > 0 and found["next_epoch_ratio"] > 0


@pytest.mark.slow
def test_workers() -> None:
    found = run(
        "workers.py", "--rows", 6000, "--seeds", 1, "--epochs", 1, "--methods", "naive", "esmm"
    )
    assert found["runs"] == 2
    assert len(found["sides"]) == 3
    assert found["sides"]["compare"]["compare_over_this"] == 1
    assert all(side["seconds"] > 0 for side in found["sides"].values())


@pytest.mark.slow
def test_scaling(tmp_path: Path) -> None:
    page = tmp_path / "scaling.html"
    sizes = ("--rows", 4096, "--rounds", 1, "--factors", "rows", "dim", "heads", "batch")
    found = run("scaling.py", *sizes, "--plot", page)["factors"]
    assert list(found) == ["rows", "dim", "heads", "batch"]
    assert all(len(f["values"]) == len(f["cost"]) >= 4 for f in found.values())
    assert found["dim"]["cost"][found["dim"]["values"].index("16")] == 1  # the base itself
    assert found["heads"]["exponent"] is None
    assert math.isfinite(found["batch"]["exponent"])
    text = page.read_text(encoding="utf-8")
    assert "Training cost of a row" in text and '<script src="http' not in text


def test_scaling_refuses_other_plots(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"ends in \.html or \.svg"):
        run("scaling.py", "--plot", tmp_path / "scaling.png")


@pytest.mark.slow
def test_shared_machine_has_every_state() -> None:
    found = run("shared_machine.py", "--rows", 9000, "--peer-rows", 5000, "--rounds", 1)
    ours = {
        f"{side}, {busy} busy"
        for side in ("postclick", "postclick threads=1")
        for busy in (0, 1, 2)
    }
    assert ours <= set(found["sides"])
    assert set(found["sides"]) - ours <= {f"torch-rechub, {busy} busy" for busy in (0, 1, 2)}
    for name, entry in found["sides"].items():
        assert all(entry[f"pass {k}"] > 0 for k in (1, 2, 3))
        assert entry["over idle"] == 1 or not name.endswith(", 0 busy")
