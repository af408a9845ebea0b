"""Weights of members that held-out clicks and conversions choose, and how good members are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from postclick.linear.rows import Floats
from postclick.linear.stacking import Mean, losses_of_mean, stacked_weights
from postclick.mean_logit import mean_logit
from postclick.methods.base import SERVING_HEADS
from postclick.methods.fitted import Tensors
from postclick.stats.resampling import Units


@dataclass(frozen=True)
class Pool:
    """How members are put together.

    Attributes:
        starts: how many each member has; they count alike.
        given: what members count where nothing is learnt; they sum to 1.
        mean: of probabilities or of logits.
        strength: of the belief in `given`, in nats of log-likelihood.
    """

    starts: Sequence[int]
    given: Sequence[float]
    mean: Mean
    strength: float

    def members(self, logits: Floats) -> Floats:
        """Logits of members, `(n, members)`, from those of all starts, `(n, starts)`."""
        ends = np.cumsum(self.starts)
        parts = np.split(logits, ends[:-1], axis=1)
        return np.stack([self._mean(part) for part in parts], axis=1)

    def _mean(self, logits: Floats) -> Floats:
        if self.mean == "logit" or logits.shape[1] == 1:
            return np.asarray(logits.mean(axis=1))
        return np.asarray(mean_logit(torch.from_numpy(logits)).numpy())


def learn_weights(rows: Tensors, pool: Pool) -> Tensors:
    """Weights of each head, and the losses of held-out rows that they rest on.

    Args:
        rows: what `HeldOut` says was recorded, and `ctr` and `cvr`, logits `(rows, starts)`.

    Returns:
        What `MemberShares.take` takes: `weights` of members `(2, members)`, and losses, of which
        the standard errors are by groups.
    """
    found: dict[str, list[Floats]] = {}
    for head in SERVING_HEADS:
        label, weight = (rows[f"{head}_{of}"].numpy().astype(float) for of in ("label", "weight"))
        logits = pool.members(rows[head].numpy().astype(float))
        prior = pool.strength * np.array(pool.given)
        weights = stacked_weights(logits, label, prior, mean=pool.mean, row_weight=weight)
        of_mean = losses_of_mean(logits, label, weights, pool.mean)
        alone = [losses_of_mean(logits, label, one, pool.mean) for one in np.eye(len(weights))]
        losses = np.stack([*alone, of_mean], axis=1)
        behind = [
            _mean_and_error(one - of_mean, weight, rows[f"{head}_group"].numpy()) for one in alone
        ]
        one = {
            "weights": weights,
            "losses": weight @ losses / weight.sum(),
            "behind": np.array([value for value, _ in behind]),
            "behind_error": np.array([error for _, error in behind]),
            "counts": np.array([len(label), label.sum()]),
        }
        for name, values in one.items():
            found.setdefault(name, []).append(values)
    return {name: torch.from_numpy(np.stack(values)) for name, values in found.items()}


def _mean_and_error(
    values: Floats, weight: Floats, group: NDArray[np.int64]
) -> tuple[float, float]:
    """Weighted mean and its standard error over groups; a row of group 0 is one of its own.

    >>> _mean_and_error(np.array([1.0, 3.0]), np.ones(2), np.zeros(2, np.int64))
    (2.0, 1.0)
    >>> _mean_and_error(np.array([1.0, 1.0, 3.0, 3.0]), np.ones(4), np.array([7, 7, 8, 8]))
    (2.0, 1.0)
    """
    total = float(weight.sum())
    mean = float(weight @ values) / total
    units = Units(len(group), group)
    assert units.of_row is not None
    sums = np.bincount(units.of_row, weights=weight * (values - mean))
    spread = sums @ sums * units.count / max(units.count - 1, 1)
    return mean, float(np.sqrt(spread)) / total
