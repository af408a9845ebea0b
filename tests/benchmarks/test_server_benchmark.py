"""The benchmark of the server runs, at a size that measures nothing, and says what it measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "server.py"


@pytest.mark.slow
def test_server_has_every_load_and_memory() -> None:
    pytest.importorskip("postclick.serving.bundle.bundle", reason="no onnxruntime")
    options = ["--rows", "4000", "--seconds", "1", "--soak", "2", "--candidates", "50"]
    done = subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["candidates"], found["workers"]) == (50, 1)
    loads = {"capacity", "25 %", "50 %", "80 %", "50 %, steady", "soak 80 %"}
    assert set(found["loads"]) == loads
    for row in found["loads"].values():
        # On a machine that is busy otherwise the queue may fill, which is no error of the server.
        assert row["errors"] == 0 or str(row["errors"]).endswith(" 429")
        assert row["requests"] > 0
        assert 0 < row["model_p50_ms"] <= row["model_p99_ms"]
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["start_mb"] > 0 and row["end_mb"] > 0
    for name in ("50 %", "50 %, steady"):
        assert found["loads"][name]["rate_per_s"] == pytest.approx(
            found["capacity_per_s"] / 2, abs=0.2
        )
    assert len(found["met"]) == 2
