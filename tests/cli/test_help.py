"""Help names every command, and its examples work."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from helpers.commands import SETS, run, succeed

COMMANDS = (
    *("methods", "simulate", "check", "prepare", "train", "evaluate", "compare"),
    *("calibrate", "judge"),
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("report", "reproduce", "audit")),
)
NAMES = [command if isinstance(command, str) else command.values[0] for command in COMMANDS]


def examples(command: str) -> list[list[str]]:
    """The commands that `postclick COMMAND --help` shows."""
    text = " ".join(succeed(command, "--help").split())
    shown = re.split(" (?:Arguments|Options): ", text)[0]
    return [shlex.split(part) for part in shown.split("Example: postclick ")[1:]]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_shows_an_example_that_works(
    command: str,
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """In a folder with the files that the examples name; large numbers are made small."""
    shown = examples(command)
    assert shown, "no example"
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "test.csv", "schema.yaml"):
        shutil.copy(place / name, name)
    shutil.copy("train.csv", "log.csv")
    if command != "prepare":
        shutil.copytree(place / "data", "data")
    if command == "report":
        small = ["--methods", "naive", "--seeds", "1", "--trials", "0", "--workers", "1", *SETS]
        succeed("compare", "data", "--out", "results", *small)
    if command in ("evaluate", "calibrate", "judge"):
        shutil.copytree(place / "run", "run")
        shutil.copy("test.csv", "later.csv")
        later = pl.read_csv("test.csv")
        for name in ("later", "monday", "tuesday"):
            later.write_parquet(f"{name}.parquet")
            later = later.reverse()
        scores = {"pctr": 0.3, "pcvr": 0.3}
        user = {} if "user" in later.columns else {"user": 1}
        shop = {} if "shop" in later.columns else {"shop": "a"}
        later.with_columns(
            **{k: pl.lit(v) for k, v in {**scores, **user, **shop}.items()}
        ).write_parquet("scored.parquet")
    if command == "judge":
        succeed("export", "run", "--out", "bundle")
    smaller = {"400000": "2000", "5": "1", "epochs=5": "epochs=1"}
    for words in shown:
        assert words[0] == command
        words = [smaller.get(word, word) for word in words]
        words, target = (words[:-2], words[-1]) if ">" in words else (words, None)
        if command == "prepare":
            shutil.rmtree("data", ignore_errors=True)
        shutil.rmtree("judged", ignore_errors=True)
        extra = SETS if command in ("train", "compare") else []
        if command == "compare":  # its evi needs a tower as deep as it transfers
            extra = [*SETS, "--set", "tower=[16,8,4]", "--workers", "1", "--trials", "0"]
        if command == "reproduce":
            extra = [*SETS, "--set", "tower=[16,8,4]", "--set", "expert_width=8", "--workers", "1"]
        if "hillstrom" in words:  # the last example; skips where the data is not there
            folder: Path = request.getfixturevalue("shared_data") / "hillstrom"
            Path("hillstrom.csv").symlink_to(folder / "hillstrom.csv")
        text = succeed(*words, *extra)
        if target is not None:
            Path(target).write_text(text)


def test_help_of_the_whole_names_every_command() -> None:
    text = succeed("--help")
    assert all(re.search(rf"^  {command} ", text, re.MULTILINE) for command in NAMES)
    bare = run()
    assert bare.code == 2
    assert "Usage: postclick" in bare.out + bare.err


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "postclick", "--help"], capture_output=True, text=True, check=True
    )
    assert "Usage: postclick" in done.stdout or "Usage: python -m postclick" in done.stdout
    assert all(f"  {command} " in done.stdout for command in NAMES)
