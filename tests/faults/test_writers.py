"""Two processes that write to one place at the same time."""

import os

import pytest

from faults.cases import CASES, Case, Inputs, go, start
from helpers.commands import run

pytestmark = pytest.mark.slow
ROUNDS = 3 if "POSTCLICK_KILLS" in os.environ else 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_two_at_a_time(case: Case, inputs: Inputs) -> None:
    place = inputs.folder.parent
    alone = place / f"{case.name}_alone"
    alone.mkdir()
    assert run(*case.arguments(inputs, alone)).code == 0
    expected, refused = case.content(alone / case.target, inputs), 0
    for number in range(ROUNDS):
        out = place / f"{case.name}_{number}"
        out.mkdir()
        processes = [start(case, case.arguments(inputs, out)) for _ in range(2)]
        for process in processes:
            go(process)
        for process in processes:
            errors = process.communicate()[1]
            if process.returncode != 0:
                refused += 1
                assert process.returncode == 2, errors
                assert errors.splitlines()[-1].startswith("postclick: "), errors
                assert "Traceback" not in errors
        assert any(process.returncode == 0 for process in processes)
        assert case.content(out / case.target, inputs) == expected
        assert [path.name for path in out.iterdir()] == [case.target]
    print(f"\n{case.name}: {ROUNDS} pairs, {refused} refused, the other whole")
