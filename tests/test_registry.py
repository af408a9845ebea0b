"""Names, places, and what is imported for them."""

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from postclick import registry
from postclick.errors import InputError
from postclick.methods import REGISTRY, Esmm, Method, find_method, title_of
from postclick.nn.backbones import find_backbone, name_of
from postclick.nn.config import NetworkConfig
from postclick.registry import allowed, command_for


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules can be imported, and are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_ALLOWED", set())
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("brought"):
            del sys.modules[name]


def bring(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (":X", "is no place of a method: give package.module:Class"),
        (".foo:X", "is no place of a method"),
        ("a:b:c", "is no place of a method"),
        ("brought_nothing:X", "cannot be imported .No module named 'brought_nothing'"),
        ("brought_syntax:X", "cannot be imported: SyntaxError"),
        ("brought_error:X", "cannot be imported: RuntimeError: at import"),
        ("postclick.methods:Method", "is no method: it has to be a subclass of Method"),
        ("postclick.methods:METHODS", "is no method"),
        ("esmm/", "method esmm has no variant ''; there is none"),
        ("naive/x", "method naive has no variant 'x'; there is naive/no_ctr"),
    ],
)
def test_what_cannot_be_is_one_line(modules: Path, place: str, message: str) -> None:
    bring(modules, "brought_syntax", "def (")
    bring(modules, "brought_error", "raise RuntimeError('at import')")
    with pytest.raises(InputError, match=message) as caught:
        find_method(registry.asked_for(place))
    assert "\n" not in str(caught.value)


def test_a_name_in_a_file_makes_no_attribute(modules: Path) -> None:
    bring(modules, "brought_lazy", "def __getattr__(name):\n    raise SystemExit('ran')\n")
    __import__("brought_lazy")
    with pytest.raises(InputError, match="has no 'X'"):
        find_method("brought_lazy:X")


def test_a_backbone_that_a_file_names_allows_nothing(modules: Path) -> None:
    bring(modules, "brought_net", "from postclick.nn.backbones.mmoe import MMoE as Mine\n")
    __import__("brought_net")
    assert NetworkConfig(backbone="brought_net:Mine").backbone == "brought_net:Mine"
    assert name_of("brought_net:Mine") == "brought_net:Mine"
    assert find_backbone("brought_net:Mine").name == "mmoe"
    assert "brought_net" not in allowed()


def test_an_inherited_name_is_not_its_own() -> None:
    class Unnamed(Esmm):
        """Without a name."""

    place = REGISTRY.name_of(Unnamed)
    assert title_of(place) == "Unnamed"
    assert title_of("esmm") == "esmm"


def test_the_next_command_names_the_package() -> None:
    assert command_for("esmm", "mmoe") == "postclick"
    assert command_for("mine.a:A/no_b", "yours:C") == "postclick --import mine --import yours"


class Point:
    """An entry point."""

    def __init__(self, name: str, value: str, found: object) -> None:
        self.name, self.value, self.found = name, value, found

    def load(self) -> object:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def test_a_broken_package_breaks_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fine(Esmm):
        name = "fine"

    points = [
        Point("broken", "bad:X", RuntimeError("no")),
        Point("strange", "bad:Y", 3),
        Point("fine", "good:Fine", Fine),
        Point("fine", "other:Fine", Fine),
        Point("with/slash", "bad:Z", Fine),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    registry._points.cache_clear()
    one = registry.Registry("method", "a.group", {"esmm": Esmm}, Method)
    with pytest.warns(UserWarning, match="registered twice") as told:
        assert [name for name, _ in one.items()] == ["esmm", "fine"]
    texts = [str(warning.message) for warning in told]
    assert any("registered twice" in text for text in texts)
    assert any("'with/slash' of bad:Z is no name" in text for text in texts)
    assert any("cannot be loaded: RuntimeError: no" in text for text in texts)
    assert any("strange is no method" in text for text in texts)
    registry._points.cache_clear()
    monkeypatch.undo()
    assert importlib.metadata.entry_points is registry.entry_points
