"""Backbones: from the input vector to one representation per task."""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import nn

from postclick.methods.networks.conditioning import affine
from postclick.nn.config import NetworkConfig
from postclick.nn.dropout import Dropout
from postclick.nn.mlp import MLP, FirstLayer, LayerInput


class TaskBackbone(nn.Module, ABC):
    """Maps an input to one representation per task.

    Attributes:
        width: columns of each representation.
        reads_input: whether the towers see the raw input, so that their first layer has to
            be able to read it.
    """

    width: int
    reads_input: bool

    @abstractmethod
    def forward(self, x: LayerInput) -> list[LayerInput]:
        """[n, inputs] -> for each task [n, width]."""


class ShareBottom(TaskBackbone):
    """One encoder for all tasks (ChorusCVR, Eq. 1); an empty `bottom` shares embeddings only."""

    def __init__(
        self, inputs: int, tasks: int, config: NetworkConfig, first: FirstLayer = nn.Linear
    ) -> None:
        super().__init__()
        self.tasks = tasks
        self.bottom = MLP(
            inputs, config.bottom, dropout=config.dropout, batch_norm=config.batch_norm, first=first
        )
        self.width = self.bottom.width
        self.reads_input = not config.bottom

    def forward(self, x: LayerInput) -> list[LayerInput]:
        return [self.bottom(x)] * self.tasks


class MMoE(TaskBackbone):
    """Multi-gate mixture of experts (Ma et al. 2018): experts of one layer, a gate per task.

    All experts are one matrix and all gates another: two products, whatever their number.
    """

    reads_input = False

    def __init__(
        self, inputs: int, tasks: int, config: NetworkConfig, first: FirstLayer = nn.Linear
    ) -> None:
        super().__init__()
        self.tasks, self.experts, self.width = tasks, config.experts, config.expert_width
        self.split = [self.experts * self.width, tasks * self.experts]
        # Experts and gates read the same input, so one layer computes both.
        self.layer = first(inputs, sum(self.split))
        self.dropout = Dropout(config.expert_dropout)

    def forward(self, x: LayerInput) -> list[LayerInput]:
        read, weight, bias = affine(self.layer, x)
        # Two products: parts of one output would be copied by whatever needs them whole.
        weights, biases = torch.split(weight, self.split), torch.split(bias, self.split)
        hidden, gate_logits = (
            F.linear(read, part, shift) for part, shift in zip(weights, biases, strict=True)
        )
        experts = torch.unflatten(self.dropout.after_relu(hidden), 1, (self.experts, self.width))
        gates = torch.unflatten(gate_logits, 1, (self.tasks, self.experts)).softmax(dim=2)
        return list(torch.bmm(gates, experts).unbind(dim=1))


BACKBONES = ("share_bottom", "mmoe")


def make_backbone(
    kind: str, inputs: int, tasks: int, config: NetworkConfig, first: FirstLayer = nn.Linear
) -> TaskBackbone:
    """The backbone called `kind`: share_bottom or mmoe."""
    if kind == "share_bottom":
        return ShareBottom(inputs, tasks, config, first)
    if kind == "mmoe":
        return MMoE(inputs, tasks, config, first)
    raise ValueError(f"unknown backbone {kind!r}: use share_bottom or mmoe")
