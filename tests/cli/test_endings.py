"""How a command ends: exit codes, one line for what can be mended, a traceback for a defect."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import SETS, run


def test_the_installed_command(place: Path) -> None:
    """A process of its own: exit code 2 and one line on standard error, nothing on the other."""
    code = "from postclick.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "check", "--schema", "no.yaml", str(place / "train.csv")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"postclick: schema no\.yaml does not exist: .*\n", done.stderr)


def test_an_interruption_says_that_it_can_be_resumed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("postclick.training.loop.TrainingLoop._step", interrupt)
    done = run("train", place / "data", "--method", "naive", "--out", tmp_path / "r", *SETS)
    assert done.code == 130
    assert done.err == "postclick: interrupted; run the same command again to resume\n"


def test_a_defect_keeps_its_traceback(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the user can mend is one line."""

    def fail(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("postclick.training.loop.TrainingLoop._step", fail)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        run("train", place / "data", "--method", "naive", "--out", tmp_path / "r", *SETS)
