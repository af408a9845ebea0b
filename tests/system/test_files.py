"""Writing in one step, reading with messages, and locks that go with their process."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from postclick.errors import InputError
from postclick.system import files
from postclick.system.files import (
    locked,
    make_folder,
    read_json,
    replacing,
    staged,
    write_bytes,
    write_json,
    write_text,
)

HOLD = """
import sys, time
from pathlib import Path
from postclick.system.files import locked
with locked(Path(sys.argv[1]), Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_file_is_replaced_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    write_bytes(path, "neu \u00fc".encode())
    assert path.read_text(encoding="utf-8") == "neu \u00fc"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_failed_write_leaves_the_old_file_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(InputError, match=r"a\.txt cannot be written: No space left on device"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_writing_into_a_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / "no" / "a.txt", "text")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_is_not_json(tmp_path: Path, value: float) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"value": 1.5, "none": None})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"value": value})
    assert read_json(path) == {"value": 1.5, "none": None}


def test_reading_what_is_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.json does not exist"):
        read_json(tmp_path / "a.json")
    (tmp_path / "b.json").write_text('{"cut": ')
    with pytest.raises(InputError, match=r"b\.json is damaged"):
        read_json(tmp_path / "b.json")
    (tmp_path / "c.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"c\.json is damaged"):
        read_json(tmp_path / "c.json")
    with pytest.raises(InputError, match=r"is damaged: .*directory"):
        read_json(tmp_path)


def test_a_folder_under_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"folder .* cannot be made: Not a directory"):
        make_folder(tmp_path / "file" / "below")


def test_a_lock_excludes_a_second_holder_and_goes_away(tmp_path: Path) -> None:
    lock, target = tmp_path / "deep" / "run.lock", tmp_path / "deep" / "run.v1"
    with locked(lock, target):
        held = pytest.raises(InputError, match=r"another process is writing .*run\.v1: wait")
        with held, locked(lock, target):
            pass
        assert lock.exists(), "the refused one must not remove the lock of the holder"
    assert not lock.exists()
    with pytest.raises(KeyError), locked(lock, target):
        raise KeyError
    assert not lock.exists()


def test_a_lock_file_removed_while_it_is_taken_is_not_taken_for_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder before removes its file after we opened it: our lock would guard nothing."""
    lock = tmp_path / "run.lock"
    real, calls = fcntl.flock, []

    def flock(handle: int, flags: int) -> None:
        real(handle, flags)
        calls.append(flags)
        if len(calls) == 1:
            lock.unlink()

    monkeypatch.setattr(files.fcntl, "flock", flock)
    with locked(lock, tmp_path / "run"):
        assert len(calls) == 2
        refused = pytest.raises(InputError, match="another process")
        with refused, locked(lock, tmp_path / "run"):
            pass


def test_a_killed_process_gives_its_lock_back(tmp_path: Path) -> None:
    lock, target = tmp_path / "run.lock", tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(lock), str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another process"), locked(lock, target):
            pass
        process.kill()
    assert lock.exists(), "a killed process cannot tidy up"
    with locked(lock, target):
        pass
    assert not lock.exists()


def test_a_place_that_cannot_be_locked_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "run.lock").mkdir()
    refused = pytest.raises(InputError, match=r"run\.lock cannot be written")
    with refused, locked(tmp_path / "run.lock", tmp_path / "run"):
        pass


def test_two_writers_of_one_process_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as first:
        first.write(b"one")
        with replacing(path) as second:
            second.write(b"two, whole")
        assert path.read_bytes() == b"two, whole"
        first.write(b", whole")
    assert path.read_bytes() == b"one, whole"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_process_with_the_same_number_left_is_removed(tmp_path: Path) -> None:
    """In a container the process after a restart has the number of the one before."""
    left = tmp_path / f".a.txt.tmp-{socket.gethostname()}-{os.getpid()}-0123abcd"
    left.write_bytes(b"half")
    write_text(tmp_path / "a.txt", "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    with staged(tmp_path / "folder") as folder:
        with staged(tmp_path / "other"):
            pass
        (folder / "file").touch()
        write_text(tmp_path / "folder.txt", "beside it")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "folder", "folder.txt", "other"]
