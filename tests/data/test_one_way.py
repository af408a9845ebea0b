"""Data goes one way: read, check, encode, write. No arrow runs back."""

import ast
from pathlib import Path

import pytest

from postclick import data

ROOT = Path(data.__file__).parent
STAGES = ("read", "check", "encode", "write")
# What every stage may use: none of it knows a stage but `read`.
SHARED = {"schema", "manifest", "row_hash", "sample", "column_threads", "splits"}


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
    files = sorted((ROOT / stage).glob("*.py"))
    assert len(files) > 2
    for file in files:
        # The verb returns an opened log.
        more = {"prepared"} if file.name == "prepare.py" else set()
        assert imported(file) <= allowed | more, file


@pytest.mark.parametrize("module", sorted(SHARED))
def test_what_is_shared_knows_no_later_stage(module: str) -> None:
    assert not imported(ROOT / f"{module}.py") & {"check", "encode", "write"}
