"""Nothing that is read can run code: no pickle in the sources, and malicious files are refused."""

import ast
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.commands import SETS, run
from postclick.data.prepared import PreparedLog

SOURCES = Path(__file__).resolve().parents[1] / "src" / "postclick"
# Modules that run what they read, and functions of others that do.
FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "code"}
CALLS = {
    *("torch.load", "torch.save", "torch.jit.load", "np.load", "np.save", "numpy.load"),
    *("yaml.load", "yaml.full_load", "yaml.unsafe_load", "pl.read_database", "os.system"),
}
BUILTINS = {"eval", "exec", "compile", "__import__"}


def modules() -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted(SOURCES.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def offences(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in FORBIDDEN)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN:
            yield str(node.module)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CALLS or name in BUILTINS:
                yield name
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
            yield node.arg


def test_no_source_reads_what_can_run() -> None:
    found = {str(path): list(offences(tree)) for path, tree in modules()}
    assert len(found) > 100
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import yaml\nyaml.load(text)",
        "eval(text)",
        "run(command, shell=True)",
    ],
)
def test_the_search_finds_them(code: str) -> None:
    assert list(offences(ast.parse(code)))


class Malicious:
    """Unpickling it writes a file."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (open, (str(self.witness), "w"))


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / "it_ran"


@pytest.fixture
def payloads(witness: Path, tmp_path: Path) -> dict[str, bytes]:
    """Files that run code in whatever unpickles, or loads YAML as Python."""
    import torch

    torch.save({"weights": Malicious(witness)}, tmp_path / "zip")
    yaml = f"!!python/object/apply:builtins.open ['{witness}', 'w']\n"
    return {
        "pickle": pickle.dumps(Malicious(witness)),
        "torch": (tmp_path / "zip").read_bytes(),
        "yaml": yaml.encode(),
    }


def test_the_payloads_work(payloads: dict[str, bytes], witness: Path) -> None:
    import yaml

    pickle.loads(payloads["pickle"]).close()
    assert witness.exists()
    witness.unlink()
    yaml.unsafe_load(payloads["yaml"]).close()
    assert witness.exists()


@pytest.mark.parametrize("kind", ["pickle", "torch", "yaml"])
def test_malicious_files_are_refused(
    kind: str, payloads: dict[str, bytes], witness: Path, tmp_path: Path, small_log: PreparedLog
) -> None:
    data, folder, bundle = (tmp_path / name for name in ("data", "run", "bundle"))
    shutil.copytree(small_log.folder, data)
    assert run("train", data, "--method", "esmm", *SETS, "--out", folder).code == 0
    assert run("export", folder, "--out", bundle).code == 0
    log = tmp_path / "log.csv"
    schema = tmp_path / "schema.yaml"
    small_log.manifest.log_schema.to_yaml()
    schema.write_text(small_log.manifest.log_schema.to_yaml(), encoding="utf-8")
    log.write_text("click,conversion\n0,0\n", encoding="utf-8")
    reads = {
        schema: ["check", "--schema", schema, log],
        log: ["check", "--propose", log],
        **{path: ["evaluate", folder, data] for path in (folder / "model.safetensors",)},
        **{path: ["evaluate", folder, data] for path in sorted(data.glob("test/*"))[:1]},
        folder / "config.yaml": ["evaluate", folder, data],
        folder / "run.json": ["evaluate", folder, data],
        data / "manifest.json": ["train", data, "--method", "esmm", "--out", tmp_path / "r"],
        **{
            path: ["score", bundle, log, "--out", tmp_path / "scores.parquet"]
            for path in sorted(bundle.rglob("*"))
            if path.is_file()
        },
    }
    for path, command in reads.items():
        kept = path.read_bytes()
        path.write_bytes(payloads[kind])
        done = run(*command)
        assert done.code == 2 and done.err.splitlines()[-1].startswith("postclick: "), (path, done)
        assert not witness.exists(), f"{path} ran code"
        path.write_bytes(kept)


def test_settings_are_data(witness: Path, small_log: PreparedLog, tmp_path: Path) -> None:
    for value in (
        f"!!python/object/apply:builtins.open ['{witness}', 'w']",
        f"open({str(witness)!r}, 'w')",
        f"$(touch {witness})",
    ):
        done = run(
            *("train", small_log.folder, "--method", "esmm", "--set", f"lr={value}"),
            *("--out", tmp_path / "run"),
        )
        assert done.code == 2 and done.err.count("postclick: ") == 1
        assert not witness.exists()
