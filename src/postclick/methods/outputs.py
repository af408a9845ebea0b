"""What a loss is a function of: head logits of some impressions, and their labels."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from postclick.data.batch import Batch


@dataclass(frozen=True)
class Outputs:
    """What a network says of n impressions.

    Attributes:
        logits: a tensor [n] for each head.
        extra: whatever else the method's loss needs, e.g. pairs of tower activations.
    """

    logits: dict[str, Tensor]
    extra: dict[str, Any] = field(default_factory=dict)


class Labels(NamedTuple):
    """Click and *recorded* conversion, float [n]. A conversion counts only with a click."""

    click: Tensor
    conversion: Tensor

    @classmethod
    def of(cls, batch: Batch) -> "Labels":
        return cls(batch.click, batch.click * batch.conversion)
