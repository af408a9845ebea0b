"""Full disks, limits on files, read-only folders: one line, and nothing is lost."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from faults.cases import CASES, Case, Inputs
from faults.disk import change, mounted
from helpers.commands import run

pytestmark = pytest.mark.slow
THOROUGH = "POSTCLICK_KILLS" in os.environ
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95) if THOROUGH else (0.0, 0.5, 0.95)
ENOUGH = 256_000


def check_refused(code: int, errors: str) -> None:
    last = errors.splitlines()[-1] if errors else ""
    assert code == 2, errors
    assert last.startswith("postclick: "), errors
    assert sum(line.startswith("postclick: ") for line in errors.splitlines()) == 1


def check_not_whole(case: Case, out: Path) -> None:
    """Nothing has the name but a comparison, whose finished runs are kept."""
    if case.name != "compare":
        assert not (out / case.target).exists()
    assert [path.name for path in out.rglob(".*")] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_full_disk(case: Case, inputs: Inputs, tmp_path: Path) -> None:
    place = inputs.folder.parent / f"disk_{case.name}"
    with mounted(place, ENOUGH) as disk:
        arguments = case.arguments(inputs, disk)
        assert run(*arguments).code == 0
        expected, needed = case.content(disk / case.target, inputs), used_kilobytes(disk)
    refused = 0
    for share in SHARES:
        with mounted(place, max(8, int(share * needed))) as disk:
            done = run(*arguments)
            if done.code != 0:
                refused += 1
                check_refused(done.code, done.err)
                assert "No space left on device" in done.err, done.err
                check_not_whole(case, disk)
                change(disk, f"size={ENOUGH}k")
                done = run(*arguments)
            assert done.code == 0, done.err
            assert case.content(disk / case.target, inputs) == expected
    assert refused >= len(SHARES) - 2
    print(f"\n{case.name}: disk full {refused} times of {len(SHARES)}, needs {needed} kB")


def used_kilobytes(folder: Path) -> int:
    return sum(path.stat().st_blocks // 2 for path in folder.rglob("*"))


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
sys.argv = ["postclick", *{arguments!r}]
from postclick.cli import main
main()
"""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_limit_on_the_size_of_files(case: Case, inputs: Inputs, tmp_path: Path) -> None:
    """The same paths in the code as a full disk, where nothing can be mounted."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    arguments = case.arguments(inputs, tmp_path)
    code = LIMITED.format(size=2_000, arguments=arguments)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    check_refused(done.returncode, done.stderr)
    check_not_whole(case, tmp_path)
    again = run(*arguments)
    assert again.code == 0, again.err
    case.content(tmp_path / case.target, inputs)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_read_only_folder(case: Case, inputs: Inputs) -> None:
    with mounted(inputs.folder.parent / f"fixed_{case.name}", ENOUGH) as disk:
        change(disk, "ro")
        done = run(*case.arguments(inputs, disk))
        check_refused(done.code, done.err)
        assert "ead-only file system" in done.err, done.err
        assert list(disk.iterdir()) == []
