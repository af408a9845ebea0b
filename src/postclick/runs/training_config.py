"""`TrainingConfig`: how a run is optimised, the same words for every method."""

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Steps of a pass that a small log should have, and what batches that leads to.
STEPS_PER_PASS, SMALLEST_BATCH, LARGEST_BATCH = 200, 256, 4096
Monitor = Literal["cvr_nll", "cvr_auc", "ctcvr_nll", "ctcvr_auc", "ctr_nll", "ctr_auc"]


def batch_size_for(rows: int) -> int:
    """The power of two nearest to 1/200 of the training rows, from 256 to 4096.

    A CVR head learns from few conversions: with the large batches that large logs are trained
    with, two passes over a small one have too few steps to move it.

    >>> [batch_size_for(rows) for rows in (10_000, 70_000, 300_000, 40_000_000)]
    [256, 256, 2048, 4096]
    """
    nearest = 2 ** round(math.log2(max(rows, 1) / STEPS_PER_PASS))
    return int(min(max(nearest, SMALLEST_BATCH), LARGEST_BATCH))


class TrainingConfig(BaseModel):
    """Settings of a training run.

    Defaults were chosen once, on validation rows of simulated worlds and MovieLens, for all methods
    (docs/training.md); `benchmarks/sensitivity.py` shows what each is worth.

    Attributes:
        epochs: passes over the training split that the CVR model takes at the most; methods that
            prepare a propensity or a teacher first take more for that.
        batch_size: rows of a step; `None` takes a size by the number of training rows, see
            `batch_size_for`.
        optimizer: `lazy_adam` updates only the embedding rows of a batch and catches up decay
            and momentum of a row when it is next touched; `exact_adam` is dense Adam, number
            for number, over all rows.
        weight_decay: L2 added to the gradient (coupled), embeddings included.
        network_decay: the same for everything but the embedding tables; `None` takes
            `weight_decay`. Gradients of a CVR head that learns through CTCVR are so small that
            a decay which suits embeddings can hold the head at its start.
        warmup_steps: steps over which the learning rate rises linearly from 0.
        schedule: what happens after the warm-up, over all planned steps.
        average: the last part of each epoch's steps over whose weights the mean is taken, 0 for
            none. The mean is what is judged and kept; the next epoch goes on from the last step.
        clip_norm: largest norm of the whole gradient; none by default.
        monitor: validation metric for early stopping and for the weights that are kept.
        patience: epochs without improvement before stopping; `None` trains all epochs and
            still keeps the best epoch's weights.
        keep: `best` epoch by `monitor`, or the `last`.
        threads: CPU threads; `None` leaves torch's choice. Part of what makes a run repeatable.
        precision: `fp32`, or `bf16` autocast for the networks, which many processors only emulate
            at a tenth of the rate; `auto` measures both on the first batch and takes the faster.
        checkpoint_minutes: time between checkpoints within an epoch; each epoch's end has one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=2, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    optimizer: Literal["lazy_adam", "exact_adam"] = "lazy_adam"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    network_decay: float | None = Field(default=0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    warmup_steps: int = Field(default=0, ge=0)
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    average: float = Field(default=0.0, ge=0, le=1)
    clip_norm: float | None = Field(default=None, gt=0)
    monitor: Monitor = "cvr_nll"
    patience: int | None = Field(default=2, ge=1)
    keep: Literal["best", "last"] = "best"
    eval_batch_size: int = Field(default=16_384, ge=1)
    device: str = "cpu"
    threads: int | None = Field(default=None, ge=1)
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    checkpoint_minutes: float = Field(default=2.0, gt=0)

    def for_rows(self, rows: int) -> Self:
        """These settings with a batch size for a training split of `rows` rows."""
        if self.batch_size is not None:
            return self
        return self.model_copy(update={"batch_size": batch_size_for(rows)})

    @property
    def rows_per_step(self) -> int:
        """The batch size, once it is known."""
        if self.batch_size is None:
            raise ValueError("no batch size yet: take for_rows(rows) of these settings")
        return self.batch_size

    @model_validator(mode="after")
    def _betas_are_rates(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas {self.betas} must lie in [0, 1)")
        return self
