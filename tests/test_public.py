"""The public names: all there, all documented, and none costs an import that it does not need."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

import postclick

HEAVY = ("torch", "polars", "pyarrow", "sklearn", "scipy", "numpy")


@pytest.mark.parametrize("name", postclick.__all__)
def test_a_public_name_resolves_and_is_documented(name: str) -> None:
    thing = getattr(postclick, name)
    assert callable(thing)
    first = (thing.__doc__ or "").strip().splitlines()[:1]
    assert first, f"{name} has no docstring"
    assert first[0].endswith((".", ":")), f"{name}: the first line is not a sentence: {first[0]!r}"


def test_the_names_are_listed_once_and_sorted() -> None:
    assert sorted(postclick._PUBLIC) == sorted(postclick.__all__)
    assert list(postclick.__all__) == sorted(postclick.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'postclick' has no attribute 'trian'"):
        _ = postclick.trian
    assert not hasattr(postclick, "METHODS")


def imported_by(code: str) -> set[str]:
    """Top-level modules that a fresh Python has after running `code`."""
    report = "\nimport sys; print('MODULES', *{m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rsplit("MODULES", 1)[1].split())


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert imported_by("import postclick; postclick.InputError").isdisjoint(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['postclick', *{arguments!r}]\n"
        "from postclick.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
    )
    assert imported_by(code).isdisjoint(HEAVY)


@pytest.mark.parametrize("name", postclick.__all__)
def test_no_module_hides_a_public_name(name: str) -> None:
    """Importing a module `postclick.NAME` would put the module in the place of the function."""
    assert find_spec(f"postclick.{name}") is None
