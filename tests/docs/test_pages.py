"""Every command and program on the README and the pages in docs runs.

A page is run from top to bottom in one folder that holds what it speaks of (`place.py`): each
`bash` block made smaller (`smaller.py`), each `python` block as it is, each `yaml` block that is a
schema by being put down as schema.yaml, as a reader would. Blocks in `text` show output; one that
follows a `python` block must be what that printed. Blocks in `sh` install or call make and are not
run here: CI does, through the Makefile.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml

from docs.loaded import loaded_postclick
from docs.pages import PAGES, ROOT, Block, blocks, indented
from docs.place import PACKAGES, REAL, make_place
from docs.smaller import script
from postclick.data.prepared import PreparedLog
from postclick.data.schema import LogSchema

TEXTS = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}
RUN, SHOWN = ("bash", "python", "yaml"), ("sh", "text")
SETUP = re.compile(r"make (?P<target>\w+)$|python3 -m venv \.venv && \.venv/bin/pip install ")


def pages_to_run() -> list[object]:
    return [
        pytest.param(name, marks=pytest.mark.slow if blocks(text, "bash") else ())
        for name, text in TEXTS.items()
        if blocks(text, *RUN)
    ]


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Path | None:
    """The folder of real data, if there is one."""
    try:
        folder: Path = request.getfixturevalue("shared_data")
    except pytest.skip.Exception:
        return None
    return folder


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """The folder with `postclick`."""
    with TemporaryDirectory() as folder, loaded_postclick(Path(folder)) as found:
        yield found


@pytest.mark.parametrize("page", pages_to_run())
def test_a_page_runs_from_top_to_bottom(
    page: str, tmp_path: Path, small_log: PreparedLog, shared: Path | None, programs: Path
) -> None:
    missing = make_place(tmp_path, page, small_log.folder, shared)
    found, left_out = blocks(TEXTS[page]), set()
    for block, following in zip(found, [*found[1:], None], strict=True):
        if absent := {name for name in missing if re.search(rf"\b{name}\b", block.text)}:
            left_out |= absent if block.language in RUN else set()
        elif block.language == "bash":
            run(["bash", "-c", script(block.text)], tmp_path, programs, page, block)
        elif block.language == "python":
            printed = run([sys.executable, "-c", block.text], tmp_path, programs, page, block)
            if following is not None and following.language == "text":
                assert printed == following.text, f"{page}, line {following.line}"
        elif block.language == "yaml" and "click" in yaml.safe_load(block.text):
            (tmp_path / "schema.yaml").write_text(block.text, encoding="utf-8")
    if left_out:
        lacking = ", ".join({**REAL, **PACKAGES}[name] for name in sorted(left_out))
        pytest.skip(f"the rest of {page} ran; left out for want of {lacking} (POSTCLICK_DATA, pip)")


def run(command: list[str], folder: Path, programs: Path, page: str, block: Block) -> str:
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    where = f"{page}, line {block.line}"
    assert done.returncode == 0, f"{where}\n{block.text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", TEXTS)
def test_no_code_escapes(page: str) -> None:
    """A block is run, or its language says that it is not to be."""
    text = TEXTS[page]
    assert [f"{page}, line {n}: fence it as bash, sh or text" for n in indented(text)] == []
    unknown = [block for block in blocks(text) if block.language not in (*RUN, *SHOWN)]
    assert unknown == [], f"{page}: a language that no test knows"
    assert text.count("\n```") == 2 * len(blocks(text)), f"{page}: a fence that does not close"
    assert "postclick" not in "".join(block.text for block in blocks(text, "sh"))


def test_schemas_on_the_pages_are_valid() -> None:
    schemas = [
        LogSchema.model_validate(entries)
        for text in TEXTS.values()
        for block in blocks(text, "yaml")
        if "click" in (entries := yaml.safe_load(block.text))
    ]
    assert len(schemas) >= 2


def test_what_is_not_run_here_is_setup() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lines = [
        line
        for text in TEXTS.values()
        for block in blocks(text, "sh")
        for line in block.text.splitlines()
    ]
    for line in lines:
        match = SETUP.match(line)
        assert match, f"{line}: a command to be run belongs in a bash block"
        assert match["target"] is None or f"\n{match['target']}: " in makefile, line
    assert len(lines) >= 2
