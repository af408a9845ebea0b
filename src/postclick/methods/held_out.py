"""Rows that members have not learnt from: what is recorded of them, and what members predict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from postclick.data.arrays import RowArrays
from postclick.data.batch import Batch
from postclick.data.prepared import PreparedLog
from postclick.methods.base import SERVING_HEADS, Method
from postclick.methods.fitted import Tensors

BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class HeldOut:
    """Rows of a split that are held out: the first ones for pCTR, all clicked ones for pCVR.

    Attributes:
        log, split: where they are.
        impressions: so many for pCTR; a random sample, for rows are shuffled when prepared.
        entire: whether pCTR is that of all impressions; else it is that of the training rows,
            of which unclicked ones may have been left out.
    """

    log: PreparedLog
    split: str
    impressions: int
    entire: bool

    @torch.no_grad()
    def predicted(self, method: Method[Any]) -> Tensors:
        """Logits of `ctr` and `cvr`, float32 [rows] each, on the CPU.

        That of a conversion is given the click, whatever the method serves.
        """
        # Not method.predict: a member knows of no sampling until it is a run of its own.
        shift = math.log(self.log.manifest.negative_rate) if self.entire else 0.0
        logits: dict[str, Callable[[Batch], Tensor]] = {
            "ctr": lambda batch: method._predicted(batch, shift).ctr,
            "cvr": method.given_click,
        }
        device = next(method.parameters()).device
        return {
            head: torch.cat([logits[head](batch.to(device)).cpu() for batch, _ in self._of(head)])
            for head in SERVING_HEADS
        }

    def recorded(self) -> Tensors:
        """Of the same rows `ctr_label`, `ctr_weight`, `ctr_group` and those of `cvr`.

        Weights are such that unclicked rows stand for what pCTR is of. Groups are hashes, 0 for a
        row that has none.
        """
        found: Tensors = {}
        for head in SERVING_HEADS:
            batches, groups = zip(*self._of(head), strict=True)
            click = torch.cat([batch.click for batch in batches])
            weight = torch.cat(
                [torch.ones(len(b)) if b.weight is None else b.weight for b in batches]
            )
            label = click
            if head == "ctr":
                weight = torch.where(click > 0, weight, weight * self._unclicked_weight)
            else:
                label = torch.cat([batch.conversion for batch in batches])
            group = torch.cat(groups)
            found |= {f"{head}_label": label, f"{head}_weight": weight, f"{head}_group": group}
        return found

    @property
    def _unclicked_weight(self) -> float:
        """Of an unclicked row: only the training split lacks some."""
        kept = self.log.manifest.negative_rate
        if self.split == "train":
            return 1 / kept if self.entire else 1.0
        return 1.0 if self.entire else kept

    def _of(self, head: str) -> Iterator[tuple[Batch, Tensor]]:
        """Batches of the rows of a head, and their groups."""
        left = self.impressions
        for window in self.log.windows(self.split):
            if head == "ctr":
                chosen = torch.arange(min(left, len(window)))
                left -= len(chosen)
            else:
                chosen = torch.nonzero(window.click).squeeze(1)
            for rows in torch.split(chosen, BATCH_ROWS):
                yield window.take(rows), _groups(window, rows)


def _groups(window: RowArrays, rows: Tensor) -> Tensor:
    if window.group is None:
        return torch.zeros(len(rows), dtype=torch.long)
    return torch.from_numpy(window.group[rows.numpy()])
