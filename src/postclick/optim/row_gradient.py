"""Gradients of an embedding table: which rows a batch touched, and their summed gradients."""

from typing import NamedTuple

import torch
from torch import Tensor


class RowGradient(NamedTuple):
    """Gradient of a table by touched row.

    Attributes:
        rows: int64 [u], distinct.
        values: float [u, dim], gradients summed over the batch.
    """

    rows: Tensor
    values: Tensor


class RowCollector:
    """Sums gradients of repeated ids into one row per distinct id.

    Ids are made distinct without sorting: every occurrence writes its position into a scratch
    array as long as the table, and the ones that read their own position back represent the id.
    """

    def __init__(self, table: Tensor) -> None:
        self._scratch = torch.zeros(table.shape[0], dtype=torch.int32, device=table.device)

    def __call__(self, ids: Tensor, values: Tensor) -> RowGradient:
        """Of ids [k] and their gradients [k, dim], one summed row for each distinct id."""
        positions = torch.arange(len(ids), dtype=torch.int32, device=ids.device)
        scratch = self._scratch
        # Of equal ids the last writes; `index_copy_` leaves that to chance on several threads.
        scratch.scatter_(0, ids, positions)
        rows = ids[scratch.index_select(0, ids) == positions]
        scratch.scatter_(0, rows, positions[: len(rows)])
        slots = scratch.index_select(0, ids).long()
        summed = values.new_zeros(len(rows), values.shape[1]).index_add_(0, slots, values)
        return RowGradient(rows, summed)
