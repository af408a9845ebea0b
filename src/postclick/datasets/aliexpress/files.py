"""Finds the files of AliExpress in a folder, in either layout."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from postclick.errors import InputError

Layout = Literal["preprocessed", "raw"]
# One path per split of the preprocessed layout; user and item of the raw one.
Files = tuple[Path, ...]

_RAW = re.compile(r"([a-z]{2})_(user|item)_(train|test)(\.csv)?(\.gz)?", re.IGNORECASE)
_FOLDER = re.compile(r"aliexpress[_-]([a-z]{2})", re.IGNORECASE)
_PREPROCESSED = ("train.csv", "test.csv")


@dataclass(frozen=True)
class Found:
    """The files of one country; `country` is empty where no name tells it."""

    layout: Layout
    country: str
    folder: Path
    train: Files
    test: Files | None

    def __str__(self) -> str:
        return f"{self.country or 'a country without name'} ({self.layout}, {self.folder})"


def find(folder: Path, layout: Layout | None, country: str | None, expects: str) -> Found:
    """The one country in `folder`, or in a folder right below it, that fits the options.

    Raises `InputError` if none or several fit, or if a file of a pair is missing.
    """
    if not folder.is_dir():
        if zipfile.is_zipfile(folder):
            raise InputError(
                f"{folder} is a zip archive: unpack it ('unzip {folder.name} -d FOLDER') and "
                "give the folder"
            )
        raise InputError(f"{folder} is not a folder; aliexpress expects {expects}")
    places = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    found = [f for place in places for f in (*_preprocessed(place), *_raw(place))]
    fitting = [
        f
        for f in found
        if (layout is None or f.layout == layout) and (country is None or f.country == country)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InputError(
            f"{folder} holds several logs: {', '.join(map(str, fitting))}: choose with the "
            "options 'country' and 'layout'"
        )
    if found:
        raise InputError(
            f"{folder} holds {', '.join(map(str, found))}, none of which fits the options "
            "'country' and 'layout': correct them"
        )
    zips = sorted(folder.glob("*.zip"))
    if zips:
        raise InputError(
            f"{folder} holds {zips[0].name} but nothing unpacked: unpack it "
            f"('unzip {zips[0].name}') and give the folder"
        )
    raise InputError(f"{folder} holds no log; aliexpress expects {expects}")


def _preprocessed(folder: Path) -> list[Found]:
    train, test = (
        next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
        for name in _PREPROCESSED
    )
    if train is None:
        return []
    match = _FOLDER.match(folder.resolve().name)
    country = match.group(1).upper() if match else ""
    return [Found("preprocessed", country, folder, (train,), (test,) if test else None)]


def _raw(folder: Path) -> list[Found]:
    files: dict[str, dict[tuple[str, str], Path]] = {}
    # Reversed: of several forms of a file, plain before compressed, the first name wins.
    for path in sorted(folder.iterdir(), reverse=True):
        match = _RAW.fullmatch(path.name)
        if match is not None and path.is_file():
            country, table, split = (match.group(i) for i in (1, 2, 3))
            files.setdefault(country.upper(), {})[split.lower(), table.lower()] = path
    return [
        Found("raw", country, folder, train, _pair(folder, country, have, "test"))
        for country, have in sorted(files.items())
        if (train := _pair(folder, country, have, "train")) is not None
    ]


def _pair(
    folder: Path, country: str, have: dict[tuple[str, str], Path], split: str
) -> Files | None:
    user, item = have.get((split, "user")), have.get((split, "item"))
    if user is not None and item is not None:
        return user, item
    if user is None and item is None:
        return None
    missing = "user" if user is None else "item"
    raise InputError(
        f"{folder} lacks {country}_{missing}_{split}: put it beside its counterpart, "
        "rows are joined from the two"
    )
