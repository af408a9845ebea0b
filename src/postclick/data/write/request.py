"""What a prepared log was made from: the same request again is already done."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from postclick.data.manifest import FILE_NAME, FORMAT
from postclick.data.splits import LogSplits
from postclick.errors import InputError

REQUEST = "request.json"


def request_hash(splits: LogSplits, options: Sequence[Any]) -> str | None:
    """Hash of all that decides the result, None if a log cannot say whether it changed."""
    states = {split: source.state() for split, source in splits.sources().items()}
    if None in states.values():
        return None
    request = {
        "format": FORMAT,
        "schema": splits.schema.model_dump(mode="json"),
        "logs": states,
        "options": list(options),
        "notes": splits.notes,
    }
    text = json.dumps(request, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_request(folder: Path, digest: str | None) -> None:
    """Note in `folder` what it was made from."""
    text = json.dumps({"request": digest}, indent=1)
    (folder / REQUEST).write_text(text + "\n", encoding="utf-8")


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
