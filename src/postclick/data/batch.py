"""`Batch`: some impressions as tensors, all that a method may see of them."""

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
        numeric: float32 [n, numerics].
        bags: one `Bag` for each multi-valued feature.
        click, conversion: float32 [n], 0 or 1; conversion as recorded.
    """

    ids: Tensor
    numeric: Tensor
    bags: tuple[Bag, ...]
    click: Tensor
    conversion: Tensor

    def __len__(self) -> int:
        return self.click.shape[0]

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`; copies from pinned memory do not block."""
        if self.click.device == device:
            return self

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        bags = tuple(Bag(move(b.values), move(b.offsets), move(b.weights)) for b in self.bags)
        return Batch(
            move(self.ids), move(self.numeric), bags, move(self.click), move(self.conversion)
        )
