"""How far a student predicts what its teacher does, and what each costs."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from postclick.data.prepared import PreparedLog
from postclick.judging.judge import judge
from postclick.judging.labels import SplitLabels, split_labels
from postclick.judging.predictions import Predictions
from postclick.logits import sigmoid
from postclick.methods.base import Method
from postclick.runs.folder import MODEL
from postclick.runs.run import Run
from postclick.stats.delong import AucDifference, auc_difference, auc_interval
from postclick.stats.soft_auc import both_classes
from postclick.stats.structural_components import auc_error_undefined
from postclick.system.process import training_process

# Passes over a split that are timed; the median counts.
TIMED = 3
Logits = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class AucLost:
    """An AUC of the teacher and of the student on the same rows.

    Attributes:
        metric, space: as in metrics.json.
        difference: student minus teacher, with its interval over rows or groups (DeLong).
        undefined: why there is none, if so.
    """

    metric: str
    space: str
    teacher: float | None = None
    student: float | None = None
    difference: AucDifference | None = None
    undefined: str | None = None


@dataclass(frozen=True)
class Cost:
    """What a model needs: bytes of weights, rows scored in a second by torch."""

    bytes: int
    rows_per_second: int


@dataclass(frozen=True)
class Parity:
    """Teacher and student on one split.

    Attributes:
        split, rows: where.
        auc: what of ranking is lost.
        pctr_difference, pcvr_difference: mean absolute differences of probabilities.
        mean_pctr, mean_pcvr: the teacher's means, to measure these by.
        teacher, student: what each costs.
    """

    split: str
    rows: int
    auc: tuple[AucLost, ...]
    pctr_difference: float
    pcvr_difference: float
    mean_pctr: float
    mean_pcvr: float
    teacher: Cost
    student: Cost

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def measure_parity(teacher: Run, student: Run, log: PreparedLog, split: str) -> Parity:
    """Score a split with both and compare; AUCs of the truth too where the split has it.

    Raises:
        InputError: the log is not the one of both, or has no such split.
    """
    for run in (teacher, student):
        run.require(log)
    labels = split_labels(log, split)
    threads = student.settings.training.threads
    batch = student.settings.training.eval_batch_size
    logits, costs = [], []
    with training_process(threads):
        for run in (teacher, student):
            method = run.load()
            logits.append(_logits(method, log, split, batch))
            speed = _rows_per_second(method, log, split, batch)
            costs.append(Cost((run.folder / MODEL).stat().st_size, speed))
    weight = labels.weight
    of = {head: [sigmoid(one[head]) for one in logits] for head in ("ctr", "cvr")}
    apart = {head: np.average(abs(a - b), weights=weight) for head, (a, b) in of.items()}
    mean = {head: np.average(a, weights=weight) for head, (a, _) in of.items()}
    return Parity(
        split=split,
        rows=len(labels.click),
        auc=tuple(_lost(logits[0], logits[1], labels)),
        pctr_difference=float(apart["ctr"]),
        pcvr_difference=float(apart["cvr"]),
        mean_pctr=float(mean["ctr"]),
        mean_pcvr=float(mean["cvr"]),
        teacher=costs[0],
        student=costs[1],
    )


def _logits(method: Method[Any], log: PreparedLog, split: str, batch_size: int) -> Logits:
    kept = Predictions()
    judge(method, log, split, batch_size=batch_size, keep=kept)
    frame = kept.frame()
    return {h: frame[f"{h}_logit"].to_numpy().astype(np.float64) for h in ("ctr", "cvr")}


@torch.inference_mode()
def _rows_per_second(method: Method[Any], log: PreparedLog, split: str, batch_size: int) -> int:
    """In memory where the split fits: what reading adds is the same for both."""
    seconds = []
    for _ in range(TIMED):
        spent, rows = 0.0, 0
        for batch, _, _ in log.sequential(split, batch_size):
            began = time.perf_counter()
            method.predict(batch)
            spent += time.perf_counter() - began
            rows += len(batch)
        seconds.append(spent / max(rows, 1))
    return round(1 / max(median(seconds), 1e-9))


def _lost(teacher: Logits, student: Logits, labels: SplitLabels) -> Iterator[AucLost]:
    rows = np.ones(len(labels.click), dtype=np.bool_)
    yield _one("ctr_auc", "entire", "ctr", teacher, student, labels.click, rows, labels)
    clicked = labels.click
    yield _one("cvr_auc", "clicked", "cvr", teacher, student, labels.conversion, clicked, labels)
    for name in ("true_cvr", "potential_conversion"):
        if name in labels.truth:
            truth = labels.truth[name]
            known = np.isfinite(truth)
            yield _one("true_cvr_auc", "entire", "cvr", teacher, student, truth, known, labels)
            return


def _one(
    metric: str,
    space: str,
    head: str,
    teacher: Logits,
    student: Logits,
    label: NDArray[Any],
    chosen: NDArray[np.bool_],
    labels: SplitLabels,
) -> AucLost:
    a, b, y = teacher[head][chosen], student[head][chosen], label[chosen].astype(np.float64)
    group = None if labels.group is None else labels.group[chosen]
    weight = None if labels.weight is None else labels.weight[chosen]
    soft = bool(((y > 0) & (y < 1)).any())
    rows: tuple[Any, Any, Any] = both_classes(y, group, weight) if soft else (y, group, weight)
    hard, unit, mass = rows
    why = auc_error_undefined(hard, unit, mass)
    if why is not None:
        return AucLost(metric, space, undefined=why)
    scores = [np.concatenate((z, z)) if soft else z for z in (a, b)]
    each = [auc_interval(z, hard, group=unit, weight=mass).value for z in scores]
    found = auc_difference(scores[1], scores[0], hard, group=unit, weight=mass)
    return AucLost(metric, space, each[0], each[1], found)
