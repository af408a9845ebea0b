"""A backbone: one wide layer for all tasks, times a gate of each."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from postclick.nn.backbones import BackboneOptions, TaskBackbone
from postclick.nn.config import NetworkConfig
from postclick.ranges import Choice, Space


class TowerOptions(BackboneOptions):
    """`wide`: columns of the layer."""

    search: ClassVar[dict[str, Space]] = {"wide": Choice((8, 16))}

    wide: int = Field(default=16, ge=1)


class Tower(TaskBackbone):
    """x -> for each task ReLU(W x) * sigmoid(V_t x)."""

    name = "tower"
    summary = "one wide layer, gated for each task"
    reference = "an example of 2026"
    Options = TowerOptions

    def __init__(
        self, inputs: int, tasks: int, options: TowerOptions, network: NetworkConfig
    ) -> None:
        super().__init__()
        self.width = options.wide
        self.layer = nn.Linear(inputs, options.wide)
        self.gates = nn.ModuleList(nn.Linear(inputs, options.wide) for _ in range(tasks))

    def forward(self, x: Tensor) -> list[Tensor]:
        hidden = torch.relu(self.layer(x))
        return [hidden * gate(x).sigmoid() for gate in self.gates]
