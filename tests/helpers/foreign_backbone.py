"""A backbone of somebody else's: nothing of it is registered."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from postclick.nn.backbones import BackboneOptions, TaskBackbone
from postclick.nn.config import NetworkConfig
from postclick.ranges import Choice, Space


class GatedOptions(BackboneOptions):
    search: ClassVar[dict[str, Space]] = {"gate_width": Choice((4, 8))}

    gate_width: int = Field(default=4, ge=1)


class Gated(TaskBackbone):
    """The input times a gate, which looks into it, beside the gate's hidden layer."""

    name = "gated"
    summary = "the input times a gate"
    reference = "nobody"
    Options = GatedOptions
    reads_input = True

    def __init__(
        self, inputs: int, tasks: int, options: GatedOptions, network: NetworkConfig
    ) -> None:
        super().__init__()
        self.tasks = tasks
        self.down = nn.Linear(inputs, options.gate_width)
        self.up = nn.Linear(options.gate_width, inputs)
        self.width = inputs + options.gate_width

    def forward(self, x: Tensor) -> list[Tensor]:
        assert isinstance(x, Tensor)
        hidden = (self.down(x) + x[:, :1]).relu()
        return [torch.cat([x * self.up(hidden).sigmoid(), hidden], dim=1)] * self.tasks


FOREIGN = f"{Gated.__module__}:{Gated.__qualname__}"
