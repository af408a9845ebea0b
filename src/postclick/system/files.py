"""Writing so that nothing half-written is ever taken for whole."""

import fcntl
import json
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from postclick.errors import InputError
from postclick.spelling import option


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` in one step, when all is written.

    Raises:
        InputError: it cannot be written; `path` is then what it was.
    """
    try:
        with _making(path) as temporary:
            file = temporary.open("xb")
            _hold(file.fileno())
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)  # while it is held: nobody takes it for abandoned
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A new folder beside `out` that takes its place at the end, or vanishes on an exception.

    `out` must not exist then, or be an empty folder.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with _making(out) as folder:
        folder.mkdir()
        handle = os.open(folder, os.O_RDONLY)
        _hold(handle)
    try:
        yield folder
        folder.rename(out)
    finally:
        os.close(handle)
        if folder.exists():
            shutil.rmtree(folder)


TEMPORARY = ".*.tmp-*"
# Between a name being given and its file being held, no thread looks for what is abandoned.
_MAKING = threading.Lock()


@contextmanager
def _making(path: Path) -> Iterator[Path]:
    with _MAKING:
        yield beside(path)


def beside(path: Path) -> Path:
    """A new name next to `path` for what will take its place, `.<name>.tmp-<host>-<process>-...`.

    What processes of this machine left under such names when they were killed is removed; what a
    living one works on is held by a lock, which goes with its process.
    """
    prefix = f".{path.name}.tmp-{socket.gethostname()}-"
    left = path.parent.iterdir() if path.parent.is_dir() else ()
    for old in left:
        if old.name.startswith(prefix) and _abandoned(old, old.name.removeprefix(prefix)):
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.unlink(missing_ok=True)
    return path.with_name(f"{prefix}{os.getpid()}-{secrets.token_hex(4)}")


def _abandoned(temporary: Path, rest: str) -> bool:
    """Whether no process works on it: a container's process has the number of the one before."""
    number = rest.partition("-")[0]
    if not number.isdigit() or (int(number) != os.getpid() and _running(int(number))):
        return False
    try:
        handle = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return temporary.is_symlink() and int(number) != os.getpid()
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _hold(handle: int) -> None:
    """Lock what is being made; some network file systems cannot."""
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file in one step: it has the old content or the new, at any moment."""
    with replacing(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, data: Any) -> None:
    """`write_text` of indented JSON; NaN and infinity are refused, they are not JSON."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}") from None


def make_folder(path: Path) -> None:
    """Create a folder and its parents; `InputError` where that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"folder {path} cannot be made: {error.strerror or error}") from None


@contextmanager
def locked(path: Path, target: Path) -> Iterator[None]:
    """Hold the lock file `path` while `target` is written.

    The lock goes with the process, also when it is killed.

    Raises:
        InputError: another process holds it.
    """
    make_folder(path.parent)
    with _lock(path, target):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock(path: Path, target: Path) -> IO[str]:
    while True:
        try:
            handle = path.open("w")
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before may have removed the file between our opening and locking it.
            if os.fstat(handle.fileno()).st_ino == path.stat().st_ino:
                return handle
        except FileNotFoundError:
            pass
        except OSError:
            handle.close()
            raise InputError(
                f"another process is writing {target}: wait for it, or name another {option('out')}"
            ) from None
        handle.close()
