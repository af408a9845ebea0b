"""Training and judging do not load what takes seconds and is not used."""

import subprocess
import sys
from pathlib import Path

from helpers.runs import SMALL
from postclick.data.prepared import PreparedLog

PROGRAM = """
import sys
import torch
from postclick import PreparedLog, RunSettings, train
from postclick.methods import METHODS
from postclick.runs.build import build_method
from postclick.runs.overrides import read_by

log = PreparedLog(sys.argv[1])
with torch.device("meta"):
    for name, method in METHODS.items():
        build_method(RunSettings.make(name, overrides=read_by(method, sys.argv[3:])), log)
run = train(log, RunSettings.make("esmm", overrides=sys.argv[3:]), sys.argv[2])
run.evaluate(log)
slow = ("torch._dynamo", "sympy", "plotly", "pyarrow.dataset", "scipy.optimize", "lightgbm")
print([name for name in slow if name in sys.modules])
"""


def test_a_run_does_not_load_the_compiler_of_torch(small_log: PreparedLog, tmp_path: Path) -> None:
    # Three layers, so that EVI can match three.
    settings = [*(t for t in SMALL if not t.startswith(("backbone", "tower"))), "tower=[8,6,4]"]
    arguments = [str(small_log.folder), str(tmp_path / "run"), *settings, "epochs=1"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[-2] == "[]"
