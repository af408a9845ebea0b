"""Scoring needs none of the libraries of training."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from postclick.serving.bundle.bundle import Bundle

ROOT = Path(__file__).resolve().parents[2]
TRAINING = ("torch", "numba", "sklearn", "scipy", "safetensors", "plotly")
EXPORT = ("onnx", "onnxscript", "onnx_ir")
NO_NETWORK = ("NewConnectionError", "name resolution", "No matching distribution", "timed out")

BLOCKED = """
import sys
sys.modules.update(dict.fromkeys({blocked!r}))  # None: importing it is an ImportError
sys.argv = ["postclick", *{arguments!r}]
from postclick.cli import main
main()
"""


@pytest.fixture
def call(mixed_folder: Path, mixed_raw: tuple[pl.DataFrame, ...], tmp_path: Path) -> list[str]:
    mixed_raw[1].write_parquet(tmp_path / "log.parquet")
    out = tmp_path / "scores.parquet"
    return ["score", str(mixed_folder), str(tmp_path / "log.parquet"), "--out", str(out)]


def check(out: Path, bundle: Bundle, log: pl.DataFrame) -> None:
    found, expected = pl.read_parquet(out), bundle.score(log)
    for name in expected.columns:
        assert (found[name] - expected[name]).abs().max() < 1e-6


def test_the_command_scores_where_training_cannot_be_imported(
    call: list[str], mixed_bundle: Bundle, mixed_raw: tuple[pl.DataFrame, ...], tmp_path: Path
) -> None:
    code = BLOCKED.format(blocked=TRAINING + EXPORT, arguments=call)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    check(tmp_path / "scores.parquet", mixed_bundle, mixed_raw[1])


def test_what_needs_torch_says_what_to_install(mixed_folder: Path) -> None:
    code = BLOCKED.format(blocked=TRAINING, arguments=["evaluate", str(mixed_folder), "data"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    mend = "this needs torch, which is not installed: pip install 'postclick[train]'"
    assert done.stderr == f"postclick: {mend}\n"
    code = "import sys; sys.modules['torch'] = None; import postclick; postclick.train"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.endswith(f"ModuleNotFoundError: {mend}\n")


def test_without_onnxruntime_it_says_what_to_install(call: list[str]) -> None:
    code = BLOCKED.format(blocked=("onnxruntime",), arguments=call)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    expected = "postclick: scoring needs onnxruntime: pip install 'postclick[serve]'\n"
    assert done.stderr.endswith(expected)


@pytest.mark.slow
def test_a_fresh_environment_scores(
    call: list[str], mixed_bundle: Bundle, mixed_raw: tuple[pl.DataFrame, ...], tmp_path: Path
) -> None:
    """The extra `serve` alone brings no torch."""
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    pip = [str(place / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "-c", str(ROOT / "constraints.txt"), f"{ROOT}[serve]"],
        capture_output=True,
        text=True,
    )
    if any(sign in done.stderr for sign in NO_NETWORK):
        pytest.skip("no package index to install from")
    assert done.returncode == 0, done.stderr
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [str(place / "bin" / "postclick"), *call]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    check(tmp_path / "scores.parquet", mixed_bundle, mixed_raw[1])
    installed = {path.name for path in place.glob("lib/python*/site-packages/*")}
    assert installed.isdisjoint(TRAINING + EXPORT)
