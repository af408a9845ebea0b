"""Members of a mean on rows that they have not learnt from: those of folds, or of a split."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from postclick.data.folds import PartOfTraining, TrainingFolds
from postclick.errors import RunFailedError
from postclick.methods.base import SERVING_HEADS, Method
from postclick.methods.fitted import Fitting, Tensors
from postclick.methods.held_out import HeldOut

# Held-out impressions that choose weights of pCTR: far more than so few numbers need.
IMPRESSIONS = 1_000_000


def cross_fitted(
    fitting: Fitting, starts: int, folds: int, *, entire: bool, device: torch.device
) -> Tensors:
    """Each fold of the training split, and what starts say of it that were trained on the others.

    Args:
        starts: of all members together.
        entire: see `HeldOut`.
        device: to predict on.

    Returns:
        What `HeldOut.recorded` gives, and logits `ctr` and `cvr`, [rows, starts].

    Raises:
        RunFailedError: without some fold there is no conversion to learn from.
    """
    whole = TrainingFolds(fitting.log, folds, fitting.seed)
    for fold in range(folds):
        if whole.without(fold).split("train").conversions == 0:
            raise RunFailedError(
                f"{fitting.log.folder}: all training conversions are in one of {folds} folds, and "
                "members would have none to learn from: leave weights at given"
            )

    def predicted(start: int, part: PartOfTraining, held: HeldOut) -> Tensors:
        return held.predicted(fitting.member(start, part).to(device))

    found = []
    for fold in range(folds):
        # Rows in memory are those of one fold at a time.
        part, mine = whole.without(fold), whole.only(fold)
        if mine.split("train").rows == 0:
            continue  # fewer groups than folds
        fitting.reporter.line(f"fold {fold + 1} of {folds}: members trained on the others")
        held = HeldOut(mine, "train", IMPRESSIONS // folds, entire)
        logits = [
            fitting.stage(f"fold-{fold}-member-{start}", partial(predicted, start, part, held))
            for start in range(starts)
        ]
        found.append({**held.recorded(), **_side_by_side(logits)})
    return {name: torch.cat([one[name] for one in found]) for name in found[0]}


def validated(fitting: Fitting, starts: Sequence[Method[Any]], *, entire: bool) -> Tensors:
    """The same of the validation split and of starts that are trained.

    Raises:
        RunFailedError: it has no conversion.
    """
    log = fitting.log
    if log.split("valid").conversions == 0:
        raise RunFailedError(
            f"{log.folder}: no conversion in the validation split, which would choose weights of "
            "members: set weights=cross_fitted, or leave them at given"
        )
    held = HeldOut(log, "valid", IMPRESSIONS, entire)
    return {**held.recorded(), **_side_by_side([held.predicted(start) for start in starts])}


def _side_by_side(logits: Sequence[Tensors]) -> Tensors:
    return {head: torch.stack([one[head] for one in logits], dim=1) for head in SERVING_HEADS}
