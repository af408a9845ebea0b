"""Says which line of a raw AliExpress file is malformed; slow, only for files known to be bad."""

import gzip
import re
from pathlib import Path

from postclick.datasets.aliexpress.columns import CATEGORICAL, LABEL, WIDTH, Table
from postclick.errors import InputError

# What stands for a missing value.
NULL_TEXT = ["", "NULL", "null", "NaN", "nan"]
_NULL = {text.encode() for text in NULL_TEXT}
_INTEGER = re.compile(rb"-?\d{1,18}")
_WHOLE = re.compile(rb"-?\d{1,9}(\.0*)?")
_NUMBER = re.compile(rb"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-?inf", re.IGNORECASE)
_LABEL = re.compile(rb"[012](\.0*)?")


def malformed(path: Path, table: Table, error: Exception | None = None) -> InputError:
    """The error for the first bad line of the file; `error` is what the fast reader said."""
    mend = "mend or remove the line, or download the file again"
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                problem = _problem(line.rstrip(b"\r\n"), table)
                if problem is not None:
                    return InputError(f"{path}, line {number}: {problem}: {mend}")
    except (OSError, EOFError) as reading:
        return InputError(f"{path} cannot be read to its end: {reading}: download it again")
    return InputError(f"{path} cannot be read as the raw {table} file of AliExpress: {error}")


def _problem(line: bytes, table: Table) -> str | None:
    if not line:
        return None
    cells = line.split(b",")
    if len(cells) != WIDTH[table]:
        return f"expected the {WIDTH[table]} columns of the {table} file, found {len(cells)}"
    whole = {place[1] for place in CATEGORICAL.values() if place[0] == table}
    for column, cell in enumerate(cells, 1):
        if column == 1:
            pattern, kind = _INTEGER, "a search id, a whole number"
        elif table == "item" and column == LABEL:
            pattern, kind = _LABEL, "0 shown, 1 clicked or 2 bought"
        elif cell in _NULL:
            continue
        elif column in whole:
            pattern, kind = _WHOLE, "a whole number below 2^31"
        else:
            pattern, kind = _NUMBER, "a number"
        if pattern.fullmatch(cell) is None:
            text = cell[:40].decode("utf-8", "backslashreplace")
            return f"column {column} is {text!r}, expected {kind}"
    return None
