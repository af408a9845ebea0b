"""What a run predicts for a split or a raw log: all that fitting and judging calibrators needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from postclick.data.arrays import RowArrays
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.judging.labels import SplitLabels, joined
from postclick.methods.base import DEFAULT_CLIP, Clip, Method
from postclick.runs.raw_log import RawLog
from postclick.runs.run import Run
from postclick.system.process import training_process

Values = NDArray[Any]


@dataclass(frozen=True)
class Clicked:
    """Clicked rows: logits of pCTR and pCVR, float64, and recorded conversions.

    Attributes:
        clip: of the propensity in the method's own weights, or the usual one.
        weight: how many impressions each row stands for, above 0; None if the log has no weights.
    """

    ctr_logit: NDArray[np.float64]
    cvr_logit: NDArray[np.float64]
    conversion: NDArray[np.bool_]
    clip: Clip
    weight: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class JudgedRows:
    """CVR logits of all rows of a raw log, `(n,)`, and what is known of them."""

    cvr_logit: NDArray[np.float64]
    labels: SplitLabels


def clicked_logits(run: Run, log: PreparedLog | RawLog, split: str = "valid") -> Clicked:
    """Predict for the clicked rows of a split, or of a raw log; the others cost only reading.

    Rows that weigh 0 are left out.

    Args:
        split: of a prepared log.

    Raises:
        InputError: `log` is not the run's, it has no such split, a value of a raw log cannot be
            used, or a logit is not finite.
    """
    if isinstance(log, RawLog):
        windows = log.windows(clicked=True, truth=())
        found = _predicted(run, windows, log.name, clicked=True)
    else:
        found = _predicted(run, _windows(run, log, split), f"the {split} split", clicked=True)
    weighted = run.manifest.log_schema.weight is not None
    weight = found.weight if weighted else None
    return Clicked(found.ctr, found.cvr, found.conversion == 1, found.clip, weight)


def cvr_logits(run: Run, log: PreparedLog, split: str) -> NDArray[np.float64]:
    """CVR logits of every row of a split, in its order.

    Raises:
        InputError: as `clicked_logits`.
    """
    where = f"the {split} split"
    return _predicted(run, _windows(run, log, split), where, clicked=False).cvr


def judged_rows(run: Run, log: RawLog) -> JudgedRows:
    """CVR logits and labels of every row of a raw log, which is read once.

    Raises:
        InputError: as `clicked_logits`.
    """
    seen: list[SplitLabels] = []

    def windows() -> Iterator[RowArrays]:
        for window in log.windows():
            weight = None if window.weight is None else window.weight.numpy()
            click, conversion = window.click.numpy() == 1, window.conversion.numpy() == 1
            seen.append(SplitLabels(click, conversion, window.truth, window.group, weight))
            yield window

    logits = _predicted(run, windows(), log.name, clicked=False).cvr
    return JudgedRows(logits, joined(seen))


def _windows(run: Run, log: PreparedLog, split: str) -> Iterator[RowArrays]:
    run.require(log)
    log.split(split)
    return log.windows(split)


class _Predicted(NamedTuple):
    ctr: Values
    cvr: Values
    conversion: Values
    weight: Values
    clip: Clip


@torch.inference_mode()
def _predicted(run: Run, windows: Iterator[RowArrays], where: str, *, clicked: bool) -> _Predicted:
    settings = run.settings.training
    parts: list[tuple[Values, Values, Values, Values]] = []
    with training_process(settings.threads):
        method: Method[Any] = run.load().to(settings.device)
        device = next(method.parameters()).device
        for window in windows:
            wanted = torch.ones(len(window), dtype=torch.bool)
            if clicked:
                wanted = window.click == 1
                if window.weight is not None:
                    wanted &= window.weight > 0
            for rows in torch.split(wanted.nonzero().squeeze(1), settings.eval_batch_size):
                if not len(rows):
                    continue
                batch = window.take(rows)
                found = method.predict(batch.to(device))
                heads = (found.ctr.double().cpu().numpy(), found.cvr.double().cpu().numpy())
                weight = batch.conversion.new_ones(len(rows))
                if window.weight is not None:
                    weight = window.weight[rows]
                parts.append((*heads, batch.conversion.numpy(), weight.double().numpy()))
    ctr, cvr, conversion, of_row = (
        np.concatenate([part[k] for part in parts]) if parts else np.zeros(0) for k in range(4)
    )
    if not (np.isfinite(ctr).all() and np.isfinite(cvr).all()):
        raise InputError(
            f"{run.folder} predicts NaN or infinity on {where}: the training run "
            "diverged; lower training.lr or set training.clip_norm=1"
        )
    return _Predicted(ctr, cvr, conversion, of_row, method.clip or DEFAULT_CLIP)
