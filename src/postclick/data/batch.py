"""`Batch`: some impressions as tensors, all that a method may see of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Bag(NamedTuple):
    """Ids of one multi-valued feature over a batch of n impressions.

    Attributes:
        values: int64 [k], global embedding rows, impression after impression.
        offsets: int64 [n], where each impression's ids begin.
        weights: float32 [k], what each id's embedding is multiplied by before summing.
    """

    values: Tensor
    offsets: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Batch:
    """n impressions. Truth columns are not here: no method ever sees them.

    Attributes:
        ids: int64 [n, fields], global embedding rows (field offsets added).
        numeric: float32 [n, numerics and elements of the vectors], the numerics first.
        bags: one `Bag` for each multi-valued feature.
        click, conversion: float32 [n], 0 or 1; conversion as recorded.
        weight: float32 [n], how many impressions each row stands for, in units of the mean over
            the training rows; None if the schema has no `weight`.
        exposure: int64 [n], the id of each row's exposure, in a table of its own; None if the
            schema has no `exposure`, or where it is not known, as in scoring.
    """

    ids: Tensor
    numeric: Tensor
    bags: tuple[Bag, ...]
    click: Tensor
    conversion: Tensor
    weight: Tensor | None = None
    exposure: Tensor | None = None

    def __len__(self) -> int:
        return self.click.shape[0]

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`; copies from pinned memory do not block."""
        if self.click.device == device:
            return self
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """The batch in page-locked memory, from which a GPU can copy by itself."""
        return self._map(torch.Tensor.pin_memory)

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        bags = tuple(Bag(*(change(tensor) for tensor in bag)) for bag in self.bags)
        plain = (self.ids, self.numeric, self.click, self.conversion)
        ids, numeric, click, conversion = (change(tensor) for tensor in plain)
        weight = None if self.weight is None else change(self.weight)
        exposure = None if self.exposure is None else change(self.exposure)
        return Batch(ids, numeric, bags, click, conversion, weight, exposure)
