"""Bytes changed, files cut short and emptied: refused in one line that names the file."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.cases import Inputs
from helpers.commands import SETS, run

CHANGES = 4  # random bytes changed in each file, one at a time


def damages(data: bytes, seed: str) -> Iterator[bytes]:
    draw = random.Random(seed)
    for _ in range(CHANGES):
        at = draw.randrange(len(data))
        yield data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]
    yield data[: draw.randrange(1, len(data))]
    yield b""


def check(folder: Path, files: list[Path], command: list[str], out: Path) -> int:
    """Every damage of every file is refused by name, and nothing is written."""
    tried = 0
    for file in files:
        whole = file.read_bytes()
        for damaged in damages(whole, file.name):
            file.write_bytes(damaged)
            done = run(*command)
            lines = [line for line in done.err.splitlines() if line.startswith("postclick: ")]
            assert done.code == 2, f"{file} was taken for whole: {done.err}"
            assert len(lines) == 1 and done.err.endswith(lines[0] + "\n"), done.err
            assert str(file) in lines[0], lines[0]
            assert not out.exists()
            tried += 1
        file.write_bytes(whole)
    assert files, folder
    return tried


def copy(inputs: Inputs, name: str, to: Path) -> Path:
    shutil.copytree(inputs.folder / name, to / name)
    return to / name


def files(folder: Path, *patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in folder.rglob(pattern))


def test_a_prepared_log(inputs: Inputs, tmp_path: Path) -> None:
    data, out = copy(inputs, "data", tmp_path), tmp_path / "run"
    read = [*files(data / "train", "*"), *files(data / "valid", "*"), data / "manifest.json"]
    command = ["train", str(data), "--method", "esmm", *SETS, "--out", str(out)]
    tried = check(data, [*read, *files(data / "vocabularies", "*")], command, out)
    assert not out.with_name("run.partial").exists()
    print(f"\nprepared log: {tried} damages refused")


def test_a_run(inputs: Inputs, tmp_path: Path) -> None:
    folder, out = copy(inputs, "run", tmp_path), tmp_path / "bundle"
    read = [*files(folder, "*.safetensors", "manifest.json"), *files(folder / "vocabularies", "*")]
    tried = check(folder, read, ["export", str(folder), "--out", str(out)], out)
    print(f"\nrun: {tried} damages refused")


def test_a_bundle(inputs: Inputs, tmp_path: Path) -> None:
    folder, out = copy(inputs, "bundle", tmp_path), tmp_path / "scores.parquet"
    log = str(inputs.folder / "test.csv")
    read = [path for path in files(folder, "*") if path.is_file()]
    tried = check(folder, read, ["score", str(folder), log, "--out", str(out)], out)
    print(f"\nbundle: {tried} damages refused")


def test_a_checkpoint(
    inputs: Inputs, tmp_path: Path, interrupted: Callable[[Path], list[str]]
) -> None:
    out = tmp_path / "run"
    command = interrupted(out)
    checkpoint = tmp_path / "run.partial" / "checkpoint.safetensors"
    tried = check(checkpoint.parent, [checkpoint], command, out)
    print(f"\ncheckpoint: {tried} damages refused")
    done = run(*command)
    assert done.code == 0 and "resuming from the checkpoint" in done.err


@pytest.fixture
def interrupted(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[str]]:
    """Begins a run, stops it after a checkpoint, and returns the command that goes on with it."""
    from postclick.training import loop

    def begin(out: Path) -> list[str]:
        command = [*inputs.train, "--out", str(out)]
        kept = loop.save_checkpoint
        calls = 0

        def save(path: Path, checkpoint: object) -> None:
            nonlocal calls
            kept(path, checkpoint)  # type: ignore[arg-type]
            calls += 1
            if calls == 3:
                raise KeyboardInterrupt

        monkeypatch.setattr(loop, "save_checkpoint", save)
        assert run(*command).code == 130
        monkeypatch.setattr(loop, "save_checkpoint", kept)
        return command

    return begin
