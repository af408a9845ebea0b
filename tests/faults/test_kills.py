"""SIGKILL at random moments of every command that writes: whole or nothing, and then as if never.

Each command is killed `POSTCLICK_KILLS` times (3 by default), at moments drawn evenly over the time
until its result is there. What it writes is then either whole or not there under its name; the same
command given again makes just what an undisturbed one makes, and leaves nothing beside it.
"""

import os
import random
import time
from pathlib import Path

import pytest

from faults.cases import CASES, Case, Inputs, go, start
from helpers.commands import run

KILLS = int(os.environ.get("POSTCLICK_KILLS", "3"))
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_killed_at_random_moments(case: Case, inputs: Inputs) -> None:
    place = inputs.folder.parent
    before = {path: path.stat().st_mtime_ns for path in inputs.folder.rglob("*")}
    whole, expected = undisturbed(case, inputs, place / f"{case.name}_whole")
    moments, outcomes = random.Random(case.name), {"whole": 0, "begun": 0, "nothing": 0}
    for number in range(KILLS):
        out = place / f"{case.name}_{number}"
        out.mkdir()
        arguments = case.arguments(inputs, out)
        process = start(case, arguments)
        go(process)
        time.sleep(moments.uniform(0, whole))
        process.kill()
        process.communicate()
        target, left = out / case.target, sorted(path.name for path in out.iterdir())
        if case.name != "compare" and target.exists():
            assert case.content(target, inputs) == expected, "what has the name has to be whole"
            outcomes["whole"] += 1
            if case.name in ("train", "export"):
                continue  # a second one is refused
        else:
            outcomes["begun" if left else "nothing"] += 1
        again = run(*arguments)
        assert again.code == 0, f"after {left}: {again.err}"
        assert case.content(target, inputs) == expected
        assert [path.name for path in out.iterdir()] == [case.target], f"after {left}"
    assert {path: path.stat().st_mtime_ns for path in inputs.folder.rglob("*")} == before
    print(f"\n{case.name}: {KILLS} kills within {whole:.2f} s: {outcomes}")


def undisturbed(case: Case, inputs: Inputs, out: Path) -> tuple[float, object]:
    """Seconds until what the command makes is there, and what that is."""
    out.mkdir()
    process = start(case, case.arguments(inputs, out))
    began = time.perf_counter()
    go(process)
    while not (out / case.last).exists() and process.poll() is None:
        time.sleep(0.002)
    taken = time.perf_counter() - began
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    return taken, case.content(out / case.target, inputs)
