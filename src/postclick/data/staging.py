"""All or nothing: a folder is built beside its place and renamed into it when it is complete."""

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postclick.data.manifest import FILE_NAME
from postclick.errors import InputError

REQUEST = "request.json"


def request_hash(request: Mapping[str, Any]) -> str:
    """A hash of what was asked for; equal requests make equal data."""
    text = json.dumps(request, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def already_made(out: Path, digest: str | None) -> bool:
    """Whether `out` holds the complete result of this very request.

    Args:
        digest: hash of the request, None if its sources cannot say whether they changed.

    Raises:
        InputError: `out` is in the way.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: choose another folder for the prepared log")
    if not out.is_dir() or not any(out.iterdir()):
        return False
    try:
        made = json.loads((out / REQUEST).read_text(encoding="utf-8")).get("request")
    except (OSError, ValueError, AttributeError):
        made = None
    if digest is not None and made == digest and (out / FILE_NAME).is_file():
        return True
    prepared = (out / FILE_NAME).is_file()
    what = "holds a prepared log of another request" if prepared else "is not empty"
    raise InputError(f"{out} {what}: choose another folder, or remove it first")


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A new folder beside `out` that takes its place at the end, or vanishes on an exception.

    What earlier runs left behind when they were killed is removed first.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{out.name}.tmp-{socket.gethostname()}-"
    for old in out.parent.iterdir():
        if old.name.startswith(prefix) and not _running(old.name.removeprefix(prefix)):
            shutil.rmtree(old)
    folder = out.with_name(f"{prefix}{os.getpid()}")
    folder.mkdir()
    try:
        yield folder
        if out.is_dir():
            out.rmdir()  # it is empty
        folder.rename(out)
    finally:
        if folder.exists():
            shutil.rmtree(folder)


def _running(pid: str) -> bool:
    if not pid.isdigit():
        return True  # not one of ours
    if int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
