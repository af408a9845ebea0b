"""The five commands that write something, small, and how to tell whether that is whole."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from helpers.commands import SETS, succeed, write_own_log
from helpers.runs import saved_weights
from postclick import simulate
from postclick.runs.run import Run


@dataclass(frozen=True)
class Inputs:
    """A log, what is made of it step by step, and the command line that makes it again."""

    folder: Path

    @property
    def prepare(self) -> list[str]:
        files = {name: str(self.folder / name) for name in ("schema.yaml", "train.csv", "test.csv")}
        return [
            *("prepare", "--schema", files["schema.yaml"], "--train", files["train.csv"]),
            *("--test", files["test.csv"]),
        ]

    @property
    def train(self) -> list[str]:
        # A checkpoint every 6 ms: most kills fall between two of them.
        more = ["--set", "checkpoint_minutes=0.0001", "--set", "epochs=4"]
        return ["train", str(self.folder / "data"), "--method", "escm2_ipw", *SETS, *more]

    @property
    def compare(self) -> list[str]:
        return [
            *("compare", str(self.folder / "data"), "--methods", "naive,esmm", "--seeds", "2"),
            *("--trials", "1", "--workers", "1", *SETS),
        ]

    @property
    def export(self) -> list[str]:
        return ["export", str(self.folder / "run")]

    @property
    def score(self) -> list[str]:
        log = str(self.folder / "test.csv")
        return ["score", str(self.folder / "bundle"), log, "--keep", "user,item"]


def make_inputs(folder: Path) -> Inputs:
    """Everything that the commands read, in `folder`."""
    raw = simulate("confounded", rows=8_000, seed=0, ctr=0.25, cvr=0.25, users=300, items=80)
    write_own_log(folder, raw)
    inputs = Inputs(folder)
    succeed(*inputs.prepare, "--out", folder / "data")
    succeed("train", folder / "data", "--method", "esmm", *SETS, "--out", folder / "run")
    succeed("export", folder / "run", "--out", folder / "bundle")
    return inputs


def _files(folder: Path, _: Inputs | None = None) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _run(folder: Path, _: Inputs | None = None) -> Any:
    run = Run(folder)
    run.load()
    names = sorted(path.name for path in folder.iterdir())
    epochs = [
        {key: value for key, value in record.items() if "second" not in key}
        for record in run.history
    ]
    weights = {name: tensor.tolist() for name, tensor in saved_weights(folder).items()}
    return names, [sorted(record) for record in epochs], weights


def _comparison(folder: Path, _: Inputs) -> Any:
    runs = sorted(path.parent for path in folder.rglob("model.safetensors"))
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    results = pl.read_parquet(folder / "results.parquet")
    assert (folder / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
    timed = [name for name in results.columns if "second" in name or "rate" in name]
    rows = results.drop(timed).to_dicts()
    return [_run(run) for run in runs], sorted(summary), str(rows), sorted(_files(folder))


def _bundle(folder: Path, inputs: Inputs) -> Any:
    from postclick.serving.bundle.bundle import Bundle

    bundle = Bundle.open(folder)
    rows = pl.read_csv(inputs.folder / "test.csv")
    return sorted(bundle.info.files), bundle.score(rows).to_dict(as_series=False)


def _scores(file: Path, _: Inputs) -> Any:
    return pl.read_parquet(file).to_dict(as_series=False)


@dataclass(frozen=True)
class Case:
    """A command that writes `target`, the file `last` at its end.

    `content` fails if it is not whole.
    """

    name: str
    target: str
    last: str
    modules: tuple[str, ...]
    content: Callable[[Path, Inputs], Any]

    def arguments(self, inputs: Inputs, out: Path) -> list[str]:
        command: list[str] = getattr(inputs, self.name)
        return [*command, "--out", str(out / self.target)]


_TRAINING = ("postclick.training.train",)
CASES = (
    Case(
        "prepare",
        "data",
        "data",
        ("postclick.data.write.prepare", "postclick.datasets.opening"),
        _files,
    ),
    Case("train", "run", "run", _TRAINING, _run),
    Case(
        "compare",
        "results",
        "results/report.html",
        ("postclick.reporting.compare", "plotly"),
        _comparison,
    ),
    Case(
        "export",
        "bundle",
        "bundle",
        ("postclick.serving.bundle.export", "onnxscript", "torch.onnx"),
        _bundle,
    ),
    Case(
        "score",
        "scores.parquet",
        "scores.parquet",
        ("postclick.serving.score_log", "onnxruntime"),
        _scores,
    ),
)

_CHILD = """
import importlib, sys
from postclick.cli import main
for name in {modules!r}:
    importlib.import_module(name)
sys.argv = ["postclick", *{arguments!r}]
print("ready", flush=True)
sys.stdin.readline()
main()
"""


def start(case: Case, arguments: list[str]) -> subprocess.Popen[str]:
    """A process that has imported what the command needs and waits for a line to begin."""
    code = _CHILD.format(modules=case.modules, arguments=arguments)
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise AssertionError(process.communicate()[1])
    return process


def go(process: subprocess.Popen[str]) -> None:
    """Let a started process begin."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
