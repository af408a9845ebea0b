"""A run: training into a folder, and opening that folder again."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from postclick.data.manifest import FILE_NAME as MANIFEST
from postclick.data.manifest import Manifest
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.evaluation.judge import Judgement, judge
from postclick.files import locked, make_folder, read_json, write_bytes, write_json, write_text
from postclick.methods import find_method
from postclick.methods.base import Method
from postclick.progress import Reporter, Silent
from postclick.training.history import History
from postclick.training.loop import TrainingLoop
from postclick.training.numerics import training_process
from postclick.training.settings import RunSettings

CONFIG, MODEL, METRICS, HISTORY = (
    "config.yaml",
    "model.safetensors",
    "metrics.json",
    "history.jsonl",
)
RUN_INFO, CHECKPOINT = "run.json", "checkpoint.safetensors"
VOCABULARIES = "vocabularies"
PACKAGES = ("postclick", "torch", "numpy", "polars", "pyarrow", "safetensors")


def build_method(settings: RunSettings, log: PreparedLog) -> Method[Any]:
    """A method with fresh weights, the same for the same seed."""
    torch.manual_seed(settings.seed)
    known, _ = find_method(settings.method)
    dim = settings.network.embedding_dim or log.manifest.log_schema.embedding_dim
    return known(settings.method_config, settings.network, log.inputs, log.base_rates, dim)


class Run:
    """A finished run in `folder`.

    Raises:
        InputError: the folder is not a finished run, or it is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not (self.folder / MODEL).is_file():
            partial = partial_folder(self.folder)
            hint = (
                " (unfinished: run 'postclick train' again to resume)" if partial.exists() else ""
            )
            raise InputError(f"{self.folder} is not a finished run{hint}")
        info = read_json(self.folder / RUN_INFO)
        self.fingerprint: str = info["data_fingerprint"]
        self.settings = RunSettings.model_validate(
            yaml.safe_load((self.folder / CONFIG).read_text(encoding="utf-8"))
        )
        self.manifest = Manifest.read(self.folder)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record per epoch."""
        return History(self.folder / HISTORY).records()

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics by split, as `evaluate` wrote them."""
        path = self.folder / METRICS
        found: dict[str, Any] = read_json(path) if path.exists() else {}
        return found

    def load(self) -> Method[Any]:
        """The trained method, in evaluation mode, on the CPU."""
        log = PreparedLog(self.folder)
        method = build_method(self.settings, log)
        try:
            method.load_state_dict(load_file(self.folder / MODEL))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise InputError(f"{self.folder / MODEL} is damaged: {error}") from None
        return method.eval()

    def evaluate(self, log: PreparedLog, split: str = "test") -> Judgement:
        """Judge on a split and add the result to metrics.json.

        Raises:
            InputError: `log` was prepared with other vocabularies or scaling.
        """
        if log.fingerprint != self.fingerprint:
            raise InputError(
                f"{log.folder} is not the log that {self.folder} was trained on (their "
                "fingerprints differ): ids would mean other things; use the same prepared log"
            )
        log.split(split)
        settings = self.settings.training
        with training_process(settings.threads):
            method = self.load().to(settings.device)
            judgement = judge(method, log, split, batch_size=settings.eval_batch_size)
        entry: dict[str, Any] = {"metrics": [asdict(m) for m in judgement.metrics]}
        if judgement.propensity is not None:
            entry["propensity"] = {
                "click_over_pi": judgement.propensity.click_over_pi,
                "unclick_over_rest": judgement.propensity.unclick_over_rest,
            }
        write_json(self.folder / METRICS, {**self.metrics, split: entry})
        return judgement


def evaluate(
    run: Run | str | Path, data: PreparedLog | str | Path, split: str = "test"
) -> Judgement:
    """Judge a finished run on a split of the log that it was trained on.

    Raises:
        InputError: there is no such run or split, or the log is another one.
    """
    trained = run if isinstance(run, Run) else Run(run)
    return trained.evaluate(data if isinstance(data, PreparedLog) else PreparedLog(data), split)


def partial_folder(out: Path) -> Path:
    """Where a run is while it is not finished."""
    return out.with_name(out.name + ".partial")


def train(
    data: PreparedLog | str | Path,
    method: str | RunSettings,
    out: str | Path,
    *,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Run:
    """Train a method on a prepared log and write a run folder.

    An unfinished run of the same settings and data in `<out>.partial` is resumed from its last
    checkpoint. The test split is never touched.

    Args:
        data: a prepared log or its folder.
        method: a method's name, or complete settings.
        out: the run folder; must not exist.

    Raises:
        InputError: `out` exists, settings are wrong, or the loss diverged.
    """
    log = data if isinstance(data, PreparedLog) else PreparedLog(data)
    settings = method if isinstance(method, RunSettings) else RunSettings.make(method, seed=seed)
    out, reporter = Path(out), reporter or Silent()
    if out.exists():
        raise InputError(f"{out} exists: name another --out, or remove it")
    if log.split("train").conversions == 0:
        raise InputError(f"{log.folder}: no conversion in the training split, nothing to learn")
    partial = partial_folder(out)
    make_folder(out.parent)
    with locked(out.with_name(out.name + ".lock")), training_process(settings.training.threads):
        _open_partial(partial, settings, log, reporter)
        history = History(partial / HISTORY)
        net = build_method(settings, log).to(_device(settings.training.device))
        with _removed_on_divergence(partial):
            loop = TrainingLoop(
                net,
                log,
                settings.training,
                settings.seed,
                partial / CHECKPOINT,
                reporter,
                lambda record: history.add(record, reporter),
            )
            history.cut(loop.position.epoch)
            loop.run()
        tensors = {name: tensor.cpu().contiguous() for name, tensor in net.state_dict().items()}
        write_bytes(partial / MODEL, save(tensors))
        (partial / CHECKPOINT).unlink(missing_ok=True)
        partial.rename(out)
    return Run(out)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"training.device={name} cannot be used here: {first}") from None
    return device


def _open_partial(
    partial: Path, settings: RunSettings, log: PreparedLog, reporter: Reporter
) -> None:
    """Make the folder of an unfinished run, or take up the one that is there."""
    config = settings.to_yaml()
    if (partial / RUN_INFO).exists():
        info = read_json(partial / RUN_INFO)
        same = (partial / CONFIG).read_text(encoding="utf-8") == config
        if not same or info.get("data_fingerprint") != log.fingerprint:
            raise InputError(
                f"{partial} is an unfinished run with other settings or data: remove it to "
                "start anew, or repeat its settings to resume it"
            )
        reporter.line(f"found the unfinished run {partial}")
        return
    if partial.exists():
        shutil.rmtree(partial)
    make_folder(partial)
    write_text(partial / CONFIG, config)
    shutil.copyfile(log.folder / MANIFEST, partial / MANIFEST)
    _link_tree(log.folder / VOCABULARIES, partial / VOCABULARIES)
    info = {
        "data": str(log.folder.resolve()),
        "data_fingerprint": log.fingerprint,
        "seed": settings.seed,
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "threads": settings.training.threads or torch.get_num_threads(),
    }
    write_json(partial / RUN_INFO, info)  # last: it marks the folder as complete


def _link_tree(source: Path, target: Path) -> None:
    """Hard-link a folder's files (they are never changed), or copy where links do not work."""

    def link(a: str, b: str) -> None:
        try:
            os.link(a, b)
        except OSError:
            shutil.copyfile(a, b)

    if source.is_dir():
        shutil.copytree(source, target, copy_function=link)


@contextmanager
def _removed_on_divergence(partial: Path) -> Iterator[None]:
    """A run that cannot go on (`InputError`) must not be found and resumed."""
    try:
        yield
    except InputError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
