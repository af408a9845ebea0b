"""A backbone with one tower per head: what every method here is made of."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from postclick.nn.backbones import Backbone
from postclick.nn.backbones.make import make_backbone
from postclick.nn.config import NetworkConfig
from postclick.nn.first_layer import FirstLayer, LayerInput
from postclick.nn.mlp import MLP


class HeadOutput(NamedTuple):
    """A head's logit [n] and the ReLU outputs of its tower, first layer to last."""

    logit: Tensor
    activations: list[Tensor]


class Head(nn.Module):
    """A tower and a final linear layer whose bias starts at a base rate."""

    def __init__(
        self,
        inputs: int,
        config: NetworkConfig,
        base_rate: float,
        first: FirstLayer = nn.Linear,
        last: FirstLayer = nn.Linear,
    ) -> None:
        super().__init__()
        self.tower = MLP(
            inputs, config.tower, dropout=config.dropout, batch_norm=config.batch_norm, first=first
        )
        # Without a tower the last layer reads what the tower would have read.
        read = last if config.tower or last is not nn.Linear else first
        self.last = read(self.tower.width, 1)
        nn.init.constant_(self.last.get_parameter("bias"), math.log(base_rate / (1 - base_rate)))

    def activations(self, x: LayerInput, first: Tensor | None = None) -> list[Tensor]:
        return self.tower.activations(x, first)

    def forward(self, x: LayerInput, first: Tensor | None = None) -> HeadOutput:
        activations = self.activations(x, first)
        top = self.tower.dropout(activations[-1]) if activations else x
        return HeadOutput(full_precision(self.last(top).squeeze(1)), activations)


def full_precision(x: Tensor) -> Tensor:
    """Undo autocast: losses are taken in float32 (or float64), never in bfloat16."""
    return x.float() if x.dtype == torch.bfloat16 else x


class HeadNetwork(nn.Module):
    """One backbone task and one tower for each head.

    `base_rates` maps each head's name to the probability at which its output starts
    (METHODS rule: a model that starts far off is still biased after one or two passes).

    Shape: [n, inputs] -> {head: HeadOutput([n], ...)}
    """

    def __init__(
        self,
        inputs: int,
        base_rates: Mapping[str, float],
        config: NetworkConfig,
        backbone: Backbone,
    ) -> None:
        super().__init__()
        self.backbone = make_backbone(backbone, inputs, len(base_rates), config)
        self.heads = nn.ModuleDict(
            {name: Head(self.backbone.width, config, rate) for name, rate in base_rates.items()}
        )

    def forward(self, x: LayerInput, only: Iterable[str] | None = None) -> dict[str, HeadOutput]:
        """Run all heads, or those named in `only` (serving needs two)."""
        read = dict(zip(self.heads, self.backbone(x), strict=True))
        wanted = {
            name: head for name, head in self.heads.items() if only is None or name in set(only)
        }
        known = first_activations(wanted, [read[name] for name in wanted])
        return {name: head(read[name], known.get(name)) for name, head in wanted.items()}


def first_activations(
    heads: Mapping[str, nn.Module], read: Sequence[LayerInput]
) -> dict[str, Tensor]:
    """First ReLU outputs of heads that all read the same tensor, by one product for all of them.

    Nothing where heads read different things, or have a first layer that is not plain.
    """
    towers = [head.tower for head in heads.values() if isinstance(head, Head)]
    if len(towers) < 2 or any(other is not read[0] for other in read):
        return {}
    layers = [tower.linear[0] for tower in towers if len(tower.linear)]
    # A layer that is not plain may read something else than a tensor.
    plain = all(type(layer) is nn.Linear for layer in layers) and len(layers) == len(heads)
    if not plain or any(not isinstance(tower.norm[0], nn.Identity) for tower in towers):
        return {}
    weight = torch.cat([layer.get_parameter("weight") for layer in layers])
    bias = torch.cat([layer.get_parameter("bias") for layer in layers])
    hidden = F.linear(read[0], weight, bias).relu_()
    widths = [layer.get_parameter("bias").numel() for layer in layers]
    return dict(zip(heads, torch.split(hidden, widths, dim=1), strict=True))
