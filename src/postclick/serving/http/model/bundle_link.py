"""The symlink that says which bundle is served, and replacing it in one step."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from postclick.errors import InputError
from postclick.system.files import beside


@dataclass(frozen=True)
class Target:
    """What a path leads to at one moment; differs if the folder, or a file in it, was changed."""

    folder: Path
    inode: int
    files: frozenset[tuple[str, int, int]]


def target_of(path: Path) -> Target:
    """Follow `path` to the folder of a bundle.

    Raises:
        InputError: it leads nowhere, or not to a folder.
    """
    try:
        folder = path.resolve(strict=True)
        found = folder.stat()
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"bundle {path} cannot be opened: {why}") from None
    if not folder.is_dir():
        raise InputError(f"bundle {path} is no folder: name one that 'postclick export' wrote")
    return Target(folder, found.st_ino, _files(folder))


def _files(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Name, size and time of change of everything in a folder that may be filled right now."""
    found = set()
    for path in folder.rglob("*"):
        with suppress(OSError):
            facts = path.lstat()
            found.add((str(path), facts.st_size, facts.st_mtime_ns))
    return frozenset(found)


def point_link(link: Path, bundle: Path) -> None:
    """Make the symlink `link` lead to `bundle`, in one step.

    A process killed at any moment, and a server that looks at any moment, finds the old target or
    the new one.

    Raises:
        InputError: `link` is something else than a symlink, or it cannot be written.
    """
    if link.exists() and not link.is_symlink():
        raise InputError(f"{link} is no symlink: name one, or a path where nothing is yet")
    new = beside(link)
    try:
        with suppress(FileNotFoundError):
            new.unlink()
        new.symlink_to(bundle.resolve(strict=True), target_is_directory=True)
        new.replace(link)
        _sync(link.parent)
    except OSError as error:
        raise InputError(f"{link} cannot be written: {error.strerror or error}") from None
    finally:
        new.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Put the renaming on disk, so that it outlasts a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
