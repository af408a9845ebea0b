"""Files of a log: what a path, a URL, a folder or a glob names, in order."""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from postclick.data.read.places.remote_path import RemotePath, missing
from postclick.data.read.places.store import is_url, open_store
from postclick.errors import InputError

Place = Path | RemotePath
TableKind = Literal["Delta", "Iceberg"]
DELTA_LOG, METADATA_FOLDER, METADATA_END = "_delta_log", "metadata", ".metadata.json"
MAGIC = "*?["


def place_of(name: str | Path) -> Place:
    """The path or URL, whether anything is there or not."""
    if not isinstance(name, str) or not is_url(name):
        return Path(name)
    if name.startswith("file://"):
        return Path(unquote(name.removeprefix("file://")))
    return RemotePath(*open_store(name))


def found_at(name: str | Path) -> list[Place]:
    """The file or folder of that name, or all that the name as a glob matches, in order.

    A name that is there literally is no glob, whatever characters it has. `*`, `?` and `[...]`
    match within a name, `**` any number of folders. What begins with `_` or `.` is matched only
    by a pattern that does.

    Raises:
        InputError: nothing is there, or it cannot be looked at.
    """
    place = place_of(name)
    try:
        return _found(place)
    except OSError as error:  # such as a name that is too long
        text = f"{place}" if len(str(place)) <= 200 else f"{str(place)[:200]}..."
        raise InputError(f"log {text} cannot be read: {error.strerror or error}") from None


def _found(place: Place) -> list[Place]:
    if place.exists():
        return [place]
    pattern = place.parts
    first = next((k for k, part in enumerate(pattern) if any(c in part for c in MAGIC)), None)
    if first is None:
        raise missing(place)
    found = sorted(set(_matches(_start(place, first), pattern[first:])), key=lambda p: p.parts)
    if not found:
        raise InputError(
            f"nothing matches {place}: check the pattern, where * stands for one name or a part "
            "of it and ** for any folders"
        )
    return found


def _start(place: Place, parts: int) -> Place:
    """The folder that the first `parts` of a path name."""
    for _ in place.parts[parts:]:
        place = place.parent
    return place


def _matches(folder: Place, pattern: Sequence[str]) -> Iterator[Place]:
    if not pattern:
        yield folder
        return
    part, rest = pattern[0], pattern[1:]
    if part == "**":
        yield from _matches(folder, rest) if rest else ()
        for child in _children(folder):
            if child.name[:1] not in ("_", "."):
                if child.is_dir():
                    yield from _matches(child, pattern)
                elif not rest:
                    yield child
    elif any(c in part for c in MAGIC):
        for child in _children(folder):
            hidden = child.name[:1] in ("_", ".") and child.name[:1] != part[:1]
            if not hidden and fnmatchcase(child.name, part):
                yield from _matches(child, rest)
    elif (child := folder / part).exists():
        yield from _matches(child, rest)


def _children(folder: Place) -> list[Place]:
    if not folder.is_dir():
        return []
    return list(folder.iterdir() if isinstance(folder, Path) else folder.children())


def table_at(folder: Place) -> TableKind | None:
    """Which kind of table a folder is, if it is one."""
    if (folder / DELTA_LOG).is_dir():
        return "Delta"
    metadata = folder / METADATA_FOLDER
    if any(child.name.endswith(METADATA_END) for child in _children(metadata)):
        return "Iceberg"
    return None


def files_in(folder: Place, is_log: Callable[[str], bool]) -> list[Place]:
    """The logs in a folder and those below it, in the order of their paths, hidden ones left out.

    Raises:
        InputError: there is none, or a folder below is a table, whose files are not the table.
    """
    deep: Iterator[Place] = (
        (p for p in folder.rglob("*") if not p.is_dir())
        if isinstance(folder, Path)
        else folder.children(deep=True)
    )
    found: list[Place] = []
    others: list[Place] = []
    depth = len(folder.parts)
    for place in deep:
        below = place.parts[depth:]
        for kind, at in _tables_among(below):
            table = _start(place, depth + at)
            raise InputError(f"{folder} holds the {kind} table {table}: name the table itself")
        if not any(part.startswith((".", "_")) for part in below):
            (found if is_log(place.name) else others).append(place)
    if not found:
        first = min(others, key=lambda place: place.parts, default=None)
        more = f": name its files themselves, such as {first}" if first is not None else ""
        raise InputError(f"folder {folder} holds no CSV or Parquet file nor another log{more}")
    return sorted(found, key=lambda place: place.parts)


def _tables_among(parts: Sequence[str]) -> Iterator[tuple[TableKind, int]]:
    if DELTA_LOG in parts[:-1]:
        yield "Delta", parts.index(DELTA_LOG)
    if parts[-2:-1] == (METADATA_FOLDER,) and parts[-1].endswith(METADATA_END):
        yield "Iceberg", len(parts) - 2


class InsideTables:
    """Refuses files that belong to a table: among them are those that the table has dropped."""

    def __init__(self) -> None:
        self._known: dict[Place, TableKind | None] = {}

    def refuse(self, file: Place) -> None:
        """Raise `InputError` if a folder around `file` is a table."""
        folder = file.resolve().parent
        # A table's files lie in it, in folders of partitions, and in at most one more folder.
        others = 2
        while others and folder.parts and folder != folder.parent:
            if folder not in self._known:
                self._known[folder] = table_at(folder)
            if (kind := self._known[folder]) is not None:
                raise InputError(
                    f"{file} is a file of the {kind} table {folder}, perhaps one that the table "
                    "has dropped: name the table itself"
                )
            others -= "=" not in folder.name
            folder = folder.parent
