"""File systems that are full or read-only, where this machine lets us mount one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system in memory of that size at `folder`; skips the test where that cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    done = _mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder))
    if done is not None:
        pytest.skip(f"no file system can be mounted here: {done}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def change(folder: Path, options: str) -> None:
    """Change a mounted file system, e.g. `size=1000k` or `ro`."""
    failed = _mount("-o", f"remount,{options}", str(folder))
    assert failed is None, failed


def _mount(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    except FileNotFoundError as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip()
