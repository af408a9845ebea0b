"""Training of a method that fits itself; its stages are kept, so that a killed run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError, RunFailedError
from postclick.judging.judge import judge
from postclick.losses import weighted_sum
from postclick.methods.base import Labels
from postclick.methods.fitted import FittedMethod, Fitting, Tensors
from postclick.progress import Reporter
from postclick.runs.folder import EXPLANATION, STAGES
from postclick.runs.settings import RunSettings
from postclick.runs.tensor_file import check_tensors, write_tensors
from postclick.runs.training_config import Monitor
from postclick.system.files import write_json
from postclick.training.divergence import diverged_weights
from postclick.training.members import MemberTrainer, Train
from postclick.training.meter import EpochMeter


def fit_method(
    method: FittedMethod[Any],
    log: PreparedLog,
    settings: RunSettings,
    folder: Path,
    reporter: Reporter,
    record: Callable[[dict[str, Any]], None],
    train: Train,
) -> None:
    """Fit `method` to the training split and judge it on the validation split, once.

    Args:
        folder: of the unfinished run; stages that are done are kept in it, and what the method
            says of itself is written there.
        record: called with the one history record.
        train: trains members of the method, if it has some.

    Raises:
        RunFailedError: a weight is not finite.
    """
    began = time.monotonic()
    stages = folder / STAGES
    stages.mkdir(exist_ok=True)

    def stage(name: str, compute: Callable[[], Tensors]) -> Tensors:
        path = stages / f"{name}.safetensors"
        if path.exists():
            reporter.line(f"stage {name} is there from before")
            return _read_stage(path)
        found = compute()
        write_tensors(path, found)
        return found

    threads = settings.training.threads or torch.get_num_threads()
    member = MemberTrainer(settings, log, stages, reporter, train)
    with torch.no_grad():
        method.fit(Fitting(log, stage, threads, settings.seed, reporter, member))
    if diverged_weights(method) is not None:
        raise RunFailedError(f"{method.name}: a weight is not finite after fitting")
    seconds = time.monotonic() - began
    said = method.explain(log.manifest)
    if said is not None:
        write_json(folder / EXPLANATION, said.as_dict())
    judgement = judge(method, log, "valid", batch_size=settings.training.eval_batch_size)
    record(
        {
            "phase": "fit",
            "epoch": 1,
            "steps": 1,
            "rows_per_second": round(log.split("train").rows / max(seconds, 1e-9)),
            "lr": None,
            **_training_loss(method, log, settings.training.eval_batch_size),
            "valid": {
                m.metric: m.value for m in judgement.metrics if m.metric in get_args(Monitor)
            },
            "judged": True,
            "best": True,
            **({"members": member.records} if member.records else {}),
            **({} if said is None else said.noted),
        }
    )


def _read_stage(path: Path) -> Tensors:
    try:
        check_tensors(path)
        return load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"{path} is damaged ({error}): remove {path.parents[1]} to train from the start"
        ) from None


@torch.no_grad()
def _training_loss(
    method: FittedMethod[Any], log: PreparedLog, batch_size: int
) -> dict[str, float | dict[str, float]]:
    """Means of the terms over the training split."""
    method.eval()
    meter = EpochMeter()
    for batch, _, _ in log.sequential("train", batch_size):
        outputs, terms = method.loss(batch)
        meter.add(terms, weighted_sum(terms).item(), outputs, Labels.of(batch), weight=batch.weight)
    return meter.report()
