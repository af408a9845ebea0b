"""Says which line of an Ali-CCP file is malformed and why; slow, only for files known to be bad."""

import math
import re
from pathlib import Path

from postclick.datasets.aliccp.fields import FIELDS, Side
from postclick.errors import InputError

COLUMNS: dict[Side, int] = {"skeleton": 6, "common": 3}
MAX_ID = 2**31 - 1


def malformed(path: Path, side: Side, text: bytes, first_line: int, unfinished: bool) -> InputError:
    """The error for the first bad line of `text`, whose first line has number `first_line`.

    `unfinished` says that the file ends in `text` without a line break.
    """
    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines):
        last = unfinished and number == len(lines) - 1
        problem = _problem(line.removesuffix(b"\r"), side, last)
        if problem is not None:
            return InputError(
                f"{path}, line {first_line + number}: {problem}: mend or remove the line, "
                "or download the file again"
            )
    return InputError(
        f"{path}, lines {first_line} to {first_line + len(lines) - 1}: not in the raw format of "
        "Ali-CCP: download the file again"
    )


def _problem(line: bytes, side: Side, last: bool) -> str | None:
    if not line:
        return "the line is empty"
    columns = line.split(b",")
    if len(columns) != COLUMNS[side]:
        return f"expected {COLUMNS[side]} columns separated by commas, found {len(columns)}"
    if side == "skeleton":
        if re.fullmatch(rb"\d{1,16}", columns[0]) is None:
            return f"sample_id {_show(columns[0])} is not a whole number"
        for name, value in zip(("click", "purchase"), columns[1:3], strict=True):
            if value not in (b"0", b"1"):
                return f"{name} is {_show(value)}, expected 0 or 1"
    key, count, features = columns[-3:]
    if re.fullmatch(rb"[0-9a-fA-F]{16}", key) is None:
        return f"common_feature_index {_show(key)} is not 16 hexadecimal digits"
    if re.fullmatch(rb"\d{1,16}", count) is None:
        return f"feature_num {_show(count)} is not a whole number"
    tokens = features.split(b"\x01")
    problem = next((p for p in (_token_problem(t, side) for t in tokens) if p), None)
    if problem is None and last and len(tokens) != int(count):
        problem = (
            f"the file breaks off: feature_num says {int(count)} features, found {len(tokens)}"
        )
    return problem


def _token_problem(token: bytes, side: Side) -> str | None:
    parts = re.fullmatch(rb"([^\x02\x03]*)\x02([^\x02\x03]*)\x03([^\x02\x03]*)", token)
    if parts is None:
        return f"feature {_show(token)} is not 'field \\x02 feature_id \\x03 value'"
    field, feature, value = parts.groups()
    name = field.decode("ascii", "replace")
    if name not in FIELDS[side]:
        other: Side = "common" if side == "skeleton" else "skeleton"
        where = f"belongs into the {other} file" if name in FIELDS[other] else "is not known"
        return f"field {_show(field)} {where}"
    if re.fullmatch(rb"\d{1,16}", feature) is None or int(feature) > MAX_ID:
        return f"feature_id {_show(feature)} of field {name} is not a number from 0 to {MAX_ID}"
    if re.fullmatch(rb"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value) is None:
        return f"value {_show(value)} of field {name} is not a number"
    if not math.isfinite(float(value)):
        return f"value {_show(value)} of field {name} is not finite"
    return None


def _show(data: bytes) -> str:
    text = data.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= 40 else text[:40] + "...")
