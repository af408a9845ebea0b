"""The wheel: what is in it, that it works away from the sources, and that its types are seen."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
USERS_FILE = Path(__file__).parent / "helpers" / "users_file.py"
# Everything that is not Python code.
DATA = {
    "postclick/judgements/page/judgement.css",
    "postclick/judgements/page/macros.html.j2",
    "postclick/judgements/page/page.html.j2",
    "postclick/papers/reported_numbers.csv",
    "postclick/py.typed",
    "postclick/reporting/base.css",
    "postclick/reporting/page.css",
    "postclick/reporting/page.js",
    "postclick/reporting/template.html.j2",
}
# Of what the user's file reveals, in its order; a type that is lost would be "Any".
REVEALED = (
    "-> postclick.runs.run.Run",
    "-> postclick.experiments.comparison.results.Comparison",
    "postclick.optim.rowwise_adam.RowwiseAdam",
    "-> torch._tensor.Tensor",
    "-> float | None",
)
NO_NETWORK = ("NewConnectionError", "name resolution", "No matching distribution", "timed out")

pytestmark = pytest.mark.slow


def call(*command: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run it where nothing points to the sources."""
    hidden = ("PYTHONPATH", "MYPYPATH")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    parts = [str(part) for part in command]
    return subprocess.run(parts, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sources, without a network where hatchling is installed."""
    out = tmp_path_factory.mktemp("wheel")
    command: list[object] = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", out]
    if find_spec("hatchling") is not None:
        command.append("--no-build-isolation")
    done = call(*command, ROOT, cwd=out)
    if any(sign in done.stderr for sign in NO_NETWORK):
        pytest.skip("hatchling is not installed, and there is no package index to take it from")
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("postclick-*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and the packages of this one but for postclick."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    made = call(sys.executable, "-m", "venv", "--without-pip", place, cwd=wheel.parent)
    assert made.returncode == 0, made.stderr
    (packages,) = place.glob("lib/python*/site-packages")
    install = ("-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", packages)
    done = call(sys.executable, *install, wheel, cwd=wheel.parent)
    assert done.returncode == 0, done.stderr
    # A path in a .pth file is searched, but its own .pth files (an editable postclick) are not.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return place / "bin" / "python"


def test_it_has_all_files_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("postclick/")}
    package = ROOT / "src"
    sources = {
        path.relative_to(package).as_posix()
        for path in (package / "postclick").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == sources
    assert {name for name in names if not name.endswith(".py")} == DATA


def test_it_works_away_from_the_sources(python: Path, tmp_path: Path) -> None:
    program = (
        "import postclick, postclick.papers.reported, postclick.reporting.page;"
        "print(postclick.__file__);"
        "log = postclick.simulate(rows=2000, seed=0);"
        "print(postclick.__version__, log.train.height, log.test.height)"
    )
    done = call(python, "-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    place, facts = done.stdout.splitlines()
    assert Path(place).is_relative_to(python.parents[1])
    assert facts == "0.1.0 1500 500"


def check(python: Path, folder: Path, text: str) -> "subprocess.CompletedProcess[str]":
    """What mypy says, strictly, of a file that uses the installed wheel alone."""
    (folder / "mine.py").write_text(text, encoding="utf-8")
    (folder / "mypy.ini").write_text("[mypy]\nstrict = true\n", encoding="utf-8")
    cache = python.parents[1] / "mypy_cache"
    options = ("--config-file", "mypy.ini", "--python-executable", python, "--cache-dir", cache)
    return call(sys.executable, "-m", "mypy", *options, "mine.py", cwd=folder)


def test_its_types_are_seen(python: Path, tmp_path: Path) -> None:
    done = check(python, tmp_path, USERS_FILE.read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stdout + done.stderr
    notes = [line for line in done.stdout.splitlines() if "Revealed type" in line]
    assert len(notes) == len(REVEALED)
    for note, wanted in zip(notes, REVEALED, strict=True):
        assert wanted in note


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('postclick.train("data", 3, "out")', 'incompatible type "int"'),
        ("postclick.trian", 'Module has no attribute "trian"'),
        ('RowwiseAdam([], mode="dense")', "incompatible type \"Literal['dense']\""),
    ],
)
def test_a_mistake_is_found(python: Path, tmp_path: Path, line: str, message: str) -> None:
    head = "import postclick\nfrom postclick.optim import RowwiseAdam\n\n"
    done = check(python, tmp_path, f"{head}{line}\n")
    assert done.returncode == 1, done.stdout + done.stderr
    assert message in done.stdout and done.stdout.startswith("mine.py:4: error:")
