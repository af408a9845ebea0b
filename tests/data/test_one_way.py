"""Data goes one way: read, check, encode, write. No arrow runs back, and stops are few."""

import ast
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl
import pytest

from postclick import data
from postclick.data.read.log_source import FrameSource, LogSource
from postclick.data.read.reader import LogReader
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare

ROOT = Path(data.__file__).parent
STAGES = ("read", "check", "encode", "write")
# What every stage may use: none of it knows a stage but `read`.
SHARED = {"schema", "manifest", "row_hash", "sample", "column_threads", "splits"} | {"numbers"}


def imported(file: Path) -> set[str]:
    """The parts of `postclick.data` that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("postclick.data"):
            parts = (node.module or "").split(".")
            found |= {parts[2]} if len(parts) > 2 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("postclick.data") for alias in node.names), file
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_those_before_it(stage: str) -> None:
    allowed = {*SHARED, *STAGES[: STAGES.index(stage) + 1]}
    files = sorted((ROOT / stage).rglob("*.py"))
    assert len(files) > 2
    for file in files:
        # The verb returns an opened log.
        more = {"prepared"} if file.name == "prepare.py" else set()
        assert imported(file) <= allowed | more, file


@pytest.mark.parametrize("module", sorted(SHARED))
def test_what_is_shared_knows_no_later_stage(module: str) -> None:
    folder = ROOT / module
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [ROOT / f"{module}.py"]
    assert files
    for file in files:
        assert not imported(file) & {"check", "encode", "write"}


def is_log(value: Any) -> bool:
    """Whether a value is the log on its way: raw, opened, or some of its rows."""
    if isinstance(value, pl.DataFrame):
        return bool({"click", "row"} & set(value.columns))
    if isinstance(value, dict):
        return any(is_log(one) for one in value.values())
    if isinstance(value, list | tuple):
        return any(is_log(one) for one in value)
    return isinstance(value, LogSource | LogReader | LogSplits)


def test_a_log_stops_at_15_functions_at_most(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    """A stop is a function of ours that is handed the log or some of its rows."""
    roles = {"key": "row", "time": "row", "group": "user"}
    grouped = LogSchema.parse({**schema.model_dump(mode="json"), **roles})
    splits = LogSplits(grouped, FrameSource(make_log()))
    stops: dict[str, None] = {}

    def note(frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        ours = "postclick" in Path(code.co_filename).parts and code.co_name[0] != "<"
        if event == "call" and ours:
            names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            values = [frame.f_locals.get(name) for name in names if name not in ("self", "cls")]
            if is_log(values):
                stops[f"{Path(code.co_filename).parent.name}.{code.co_qualname}"] = None

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        prepare(splits, tmp_path / "out", negative_rate=0.5, on_bad_rows="drop")
    finally:
        sys.setprofile(before)
    assert {"read.Canonicalizer.convert", "check.LogChecks.add", "write.Spill.add"} <= set(stops)
    assert len(stops) <= 15, list(stops)
