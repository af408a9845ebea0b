"""Checksums of files and of JSON: what was changed after it was written is not taken for whole."""

import hashlib
import json
from pathlib import Path
from typing import Any

from postclick.errors import InputError


def file_digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_digest(content: Any) -> str:
    """The sha256 of JSON with sorted keys and no spaces, so that layout makes no difference.

    Raises:
        ValueError: NaN or infinity, which are no JSON.

    >>> json_digest({"a": 1, "b": [2]}) == json_digest({"b": [2], "a": 1})
    True
    """
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def check_file(path: Path, expected: str, kind: str, mend: str) -> None:
    """Make sure that a file has the sha256 `expected`.

    Raises:
        InputError: it is missing or another one; the line begins with `kind` and ends with `mend`.
    """
    try:
        why = None if file_digest(path) == expected else "its sha256 differs"
    except OSError as error:
        why = error.strerror or str(error)
    if why is not None:
        raise InputError(f"{kind} {path} is missing or damaged ({why}): {mend}")
