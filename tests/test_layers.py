"""Who may import whom: nothing imports what is above it, and no imports go in a circle.

Every import counts, also one within a function or for type checking alone.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import postclick

ROOT = Path(postclick.__file__).parent

# What stands directly in `postclick`, lowest first. A line may import the lines above it, and
# nothing beside itself on its own line. A new package gets its place here first.
LAYERS = (
    ("errors", "spelling", "suggest", "version"),
    ("extras", "latent", "logits", "mean_logit", "ranges", "progress", "registry", "system"),
    ("linear", "losses", "metrics", "nn", "optim"),
    ("stats",),
    ("data",),
    ("datasets",),
    ("methods",),
    ("judging", "testing"),
    ("calibration",),
    ("runs",),
    ("tracking",),
    ("training",),
    ("experiments",),
    ("reporting",),
    ("papers", "serving", "audit"),
    ("judgements",),
    ("console",),
    ("cli",),
    ("__init__", "__main__"),
)
# The way of a log through `data`: each may import those before it.
DATA = ("read", "check", "encode", "write")
# (importer, imported) pairs that break the order and are about to go; one that is unused fails.
KNOWN: set[tuple[str, str]] = set()


class Import(NamedTuple):
    """`module` imports `name`, both dotted and within postclick; `place` is file:line."""

    module: str
    name: str
    place: str


def modules(root: Path) -> dict[str, Path]:
    """All modules by dotted name, packages by that of their folder."""
    return {_dotted(path, root): path for path in sorted(root.rglob("*.py"))}


def _dotted(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def names_in(path: Path, root: Path) -> Iterator[tuple[str, int]]:
    """Each imported name in full, `a.b.c` for `from a.b import c`, and its line."""
    package = _dotted(path.parent / "__init__.py", root).split(".")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *filter(None, [node.module])])
            yield from ((f"{start}.{alias.name}", node.lineno) for alias in node.names)


@cache
def imports(root: Path = ROOT) -> list[Import]:
    """What postclick's modules import of each other; a name within a module is the module."""
    known = modules(root)
    found = []
    for module, path in known.items():
        for name, line in names_in(path, root):
            target = name if name in known else name.rpartition(".")[0]
            if target in known and target != module:
                found.append(Import(module, target, f"{path.relative_to(root.parent)}:{line}"))
    return found


def part_of(dotted: str, depth: int = 1) -> str:
    """The name below `postclick` (depth 1) or below one of its packages (depth 2)."""
    parts = dotted.split(".")
    return parts[depth] if len(parts) > depth else "__init__"


def upward(root: Path = ROOT) -> list[Import]:
    """Imports of what is above, or beside on the same line."""
    heights = {part: height for height, layer in enumerate(LAYERS) for part in layer}
    return [
        found
        for found in imports(root)
        if part_of(found.module) != part_of(found.name)
        and heights[part_of(found.module)] <= heights[part_of(found.name)]
    ]


def wrong_way(root: Path = ROOT) -> list[str]:
    """The same but for what is known, a line each."""
    return [
        f"{found.place}: {part_of(found.module)} imports {found.name}"
        for found in upward(root)
        if (part_of(found.module), part_of(found.name)) not in KNOWN
    ]


def left_over(root: Path = ROOT) -> set[tuple[str, str]]:
    """Exceptions that nothing needs any more."""
    return KNOWN - {(part_of(found.module), part_of(found.name)) for found in upward(root)}


def in_a_circle(root: Path = ROOT) -> list[str]:
    """Modules that import each other, over however many steps."""
    needs: dict[str, set[str]] = {module: set() for module in modules(root)}
    for found in imports(root):
        needs[found.module].add(found.name)
    while free := {module for module, needed in needs.items() if not needed & needs.keys()}:
        needs = {module: needed for module, needed in needs.items() if module not in free}
    while unused := needs.keys() - set().union(*needs.values()):
        needs = {module: needed for module, needed in needs.items() if module not in unused}
    return sorted(needs)


def test_every_package_has_its_place() -> None:
    listed = [part for layer in LAYERS for part in layer]
    assert len(listed) == len(set(listed)), "each stands once"
    assert {part_of(module) for module in modules(ROOT)} == set(listed), "place what is new"


def test_nothing_imports_what_is_above_it() -> None:
    assert not wrong_way(), "\n".join(wrong_way())


def test_no_exception_is_left_over() -> None:
    assert not left_over(), f"take {left_over()} out of KNOWN"


def test_a_log_goes_one_way_through_data() -> None:
    heights = {part: height for height, part in enumerate(DATA)}
    wrong = []
    for module, name, place in imports():
        if part_of(module) == part_of(name) == "data":
            importer, imported = part_of(module, 2), part_of(name, 2)
            if heights.get(importer, len(DATA)) < heights.get(imported, -1):
                wrong.append(f"{place}: {importer} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_no_imports_go_in_a_circle() -> None:
    """Each module can be read, and imported, before what uses it."""
    assert not in_a_circle()


@pytest.mark.parametrize(
    ("package", "allowed"), [("metrics", {"numpy"}), ("errors", set()), ("extras", set())]
)
def test_what_is_low_needs_little(package: str, allowed: set[str]) -> None:
    wrong = []
    for module, path in modules(ROOT).items():
        if part_of(module) == package:
            for name, line in names_in(path, ROOT):
                if name.partition(".")[0] not in {*sys.stdlib_module_names, "postclick", *allowed}:
                    wrong.append(f"{path.relative_to(ROOT.parent)}:{line}: imports {name}")
    assert not wrong, "\n".join(wrong)


def test_these_tests_can_fail(tmp_path: Path) -> None:
    """A made-up package with an upward import, a circle and relative imports is found out."""
    root = tmp_path / "postclick"
    texts = {
        "__init__": "",
        "errors": "def late():\n    from postclick import cli\n",
        "cli/__init__": "",
        "cli/one": "from . import two\n",
        "cli/two": "from postclick.cli.one import name\nfrom ..errors import InputError\n",
        "cli/user": "import postclick.cli.one\n",
    }
    for name, text in texts.items():
        path = root / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert wrong_way(root) == ["postclick/errors.py:2: errors imports postclick.cli"]
    assert in_a_circle(root) == ["postclick.cli.one", "postclick.cli.two"]
    assert left_over(root) == KNOWN
