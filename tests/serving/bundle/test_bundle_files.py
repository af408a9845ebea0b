"""A bundle that is not byte for byte what was written is refused, by the name of the file."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import run
from postclick.errors import InputError
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.bundle.bundle_files import CHECKSUM
from postclick.system.checksums import json_digest

USER = "vocabularies/user.parquet"


@pytest.fixture
def folder(mixed_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(mixed_folder, tmp_path / "copy")
    return tmp_path / "copy"


def rewrite(folder: Path, change: Callable[[dict[str, Any]], Any], *, sign: bool = True) -> None:
    """Change bundle.json, with a right checksum unless told otherwise."""
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    change(content)
    if sign:
        content.pop(CHECKSUM)
        content[CHECKSUM] = json_digest(content)
    path.write_text(json.dumps(content))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def renamed(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        rewrite(folder, lambda c: c["files"].update({name: c["files"].pop(USER)}))

    return change


def link(folder: Path, *, inside: bool) -> None:
    target = folder.parent / "elsewhere.parquet"
    (folder / USER).rename(target)
    (folder / USER).symlink_to(target if not inside else "../model.onnx")


CASES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "model changed": (lambda f: flip(f / "model.onnx"), "model.onnx was changed"),
    "vocabulary changed": (lambda f: flip(f / USER), "user.parquet was changed"),
    "model cut short": (lambda f: os.truncate(f / "model.onnx", 99), "model.onnx has 99 bytes"),
    "model empty": (lambda f: os.truncate(f / "model.onnx", 0), "model.onnx has 0 bytes"),
    "model missing": (lambda f: (f / "model.onnx").unlink(), "model.onnx is missing"),
    "vocabulary missing": (lambda f: (f / USER).unlink(), "user.parquet is missing"),
    "one file more": (lambda f: (f / "note.txt").write_text("x"), "note.txt does not belong"),
    "a hidden file": (lambda f: (f / "vocabularies" / ".x").touch(), r"\.x does not belong"),
    "one folder more": (lambda f: (f / "more").mkdir(), "more does not belong"),
    "no bundle.json": (lambda f: (f / "bundle.json").unlink(), "is not a bundle"),
    "bundle.json cut short": (lambda f: os.truncate(f / "bundle.json", 50), "json is damaged"),
    "bundle.json is a list": (lambda f: (f / "bundle.json").write_text("[1]"), "json is damaged"),
    "a field changed": (
        lambda f: rewrite(f, lambda c: c.update(ctr_shift=1.0), sign=False),
        "json was changed after it was written",
    ),
    "no checksum": (
        lambda f: rewrite(f, lambda c: c.pop(CHECKSUM), sign=False),
        "json was changed after it was written",
    ),
    "not a number": (
        lambda f: rewrite(f, lambda c: c.update(ctr_shift=float("nan")), sign=False),
        "json was changed after it was written",
    ),
    "an unknown field": (
        lambda f: rewrite(f, lambda c: c.update(more=1)),
        "json is damaged: more: is not a known setting",
    ),
    "a newer format": (
        lambda f: rewrite(f, lambda c: c.update(format=4)),
        "has format 4, this version reads 1 to 3: install a newer postclick",
    ),
    "no format": (lambda f: rewrite(f, lambda c: c.pop("format")), "is damaged .no format."),
    "a file above the folder": (renamed("../user.parquet"), r"lists the file '\.\./user.parquet'"),
    "a file deep above": (renamed("a/../../b.parquet"), r"lists the file 'a/\.\./\.\./b"),
    "an absolute path": (renamed("/etc/passwd"), "lists the file '/etc/passwd', which leads out"),
    "a path of Windows": (renamed("..\\user.parquet"), "which leads out of the bundle"),
    "a drive of Windows": (renamed("C:user.parquet"), "which leads out of the bundle"),
    "itself": (renamed("bundle.json"), "lists the file 'bundle.json'"),
    "a link out": (lambda f: link(f, inside=False), "user.parquet .*(link|belong)"),
    "a link within": (lambda f: link(f, inside=True), "user.parquet .*(link|belong)"),
    "a model that is not listed": (
        lambda f: (
            (f / "model.onnx").unlink(),
            rewrite(f, lambda c: c["files"].pop("model.onnx")),
        ),
        "lists no model.onnx",
    ),
    "another vocabulary": (
        lambda f: rewrite(f, lambda c: c["ids"][0].update(size=9)),
        "the vocabulary of 'user' in .* is another one",
    ),
    "other outputs": (
        lambda f: rewrite(f, lambda c: c.update(outputs=["cvr", "ctr"])),
        "model.onnx is another model",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_changed_bundle_is_refused(folder: Path, case: str) -> None:
    change, message = CASES[case]
    change(folder)
    with pytest.raises(InputError, match=message) as error:
        Bundle.open(folder)
    assert "\n" not in str(error.value)


def test_a_linked_folder_is_refused(folder: Path) -> None:
    (folder / "vocabularies").rename(folder.parent / "elsewhere")
    (folder / "vocabularies").symlink_to("../elsewhere")
    with pytest.raises(InputError, match="vocabularies"):
        Bundle.open(folder)


def test_a_bundle_may_be_found_through_a_link_and_laid_out_anew(folder: Path) -> None:
    """What a deployment does: a link to the current bundle; JSON with other spaces is the same."""
    (folder.parent / "current").symlink_to(folder)
    before = Bundle.open(folder.parent / "current", threads=1).version
    rewrite(folder, lambda c: None, sign=False)
    assert Bundle.open(folder, threads=1).version == before


def test_the_command_says_it_in_one_line(folder: Path, tmp_path: Path) -> None:
    flip(folder / "model.onnx")
    done = run("score", folder, tmp_path / "none.csv", "--out", tmp_path / "scores.parquet")
    assert done.code == 2 and len(done.err.splitlines()) == 1, done.err
