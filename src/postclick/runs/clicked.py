"""What a run predicts for a split: all that fitting and judging calibrators needs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.methods.base import DEFAULT_CLIP, Clip, Method
from postclick.runs.run import Run
from postclick.system.process import training_process

Values = NDArray[Any]


@dataclass(frozen=True)
class Clicked:
    """Clicked rows of a split: logits of pCTR and pCVR, float64, and recorded conversions.

    Attributes:
        clip: of the propensity in the method's own weights, or the usual one.
        weight: how many impressions each row stands for, above 0; None if the log has no weights.
    """

    ctr_logit: NDArray[np.float64]
    cvr_logit: NDArray[np.float64]
    conversion: NDArray[np.bool_]
    clip: Clip
    weight: NDArray[np.float64] | None = None


def clicked_logits(run: Run, log: PreparedLog, split: str = "valid") -> Clicked:
    """Predict for the clicked rows of a split; the others cost nothing but reading.

    Rows that weigh 0 are left out.

    Raises:
        InputError: `log` is not the run's, it has no such split, or a logit is not finite.
    """
    ctr, cvr, conversion, weight, clip = _predicted(run, log, split, clicked=True)
    weighted = log.manifest.log_schema.weight is not None
    return Clicked(ctr, cvr, conversion == 1, clip, weight if weighted else None)


def cvr_logits(run: Run, log: PreparedLog, split: str) -> NDArray[np.float64]:
    """CVR logits of every row of a split, in its order.

    Raises:
        InputError: as `clicked_logits`.
    """
    return _predicted(run, log, split, clicked=False)[1]


@torch.inference_mode()
def _predicted(
    run: Run, log: PreparedLog, split: str, *, clicked: bool
) -> tuple[Values, Values, Values, Values, Clip]:
    run.require(log)
    log.split(split)
    settings = run.settings.training
    parts: list[tuple[Values, Values, Values, Values]] = []
    with training_process(settings.threads):
        method: Method[Any] = run.load().to(settings.device)
        device = next(method.parameters()).device
        for window in log.windows(split):
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
            f"{run.folder} predicts NaN or infinity on the {split} split: the training run "
            "diverged; lower training.lr or set training.clip_norm=1"
        )
    return ctr, cvr, conversion, of_row, method.clip or DEFAULT_CLIP
