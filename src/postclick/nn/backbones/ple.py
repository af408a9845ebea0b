"""PLE: experts of each task beside shared ones, extracted level by level."""

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from postclick.nn.backbones.base import BackboneOptions, TaskBackbone
from postclick.nn.dropout import Dropout
from postclick.nn.first_layer import FirstLayer, LayerInput, outputs_in_parts
from postclick.nn.shared_settings import SharedSettings
from postclick.ranges import Choice


class PleOptions(BackboneOptions):
    """Options of PLE.

    Attributes:
        levels: how many extraction levels follow each other; 1 is the paper's CGC.
        task_experts, shared_experts: of each task, and of all, at every level.
        expert_width: an expert is one layer of this width.
        expert_dropout: of the experts' outputs.
    """

    search = {
        "levels": Choice((1, 2)),
        "task_experts": Choice((1, 2)),
        "shared_experts": Choice((1, 2, 4)),
        "expert_width": Choice((64, 128, 256)),
        "expert_dropout": Choice((0.0, 0.1, 0.3)),
    }

    levels: int = Field(default=2, ge=1)
    task_experts: int = Field(default=2, ge=1)
    shared_experts: int = Field(default=2, ge=1)
    expert_width: int = Field(default=128, ge=1)
    expert_dropout: float = Field(default=0.0, ge=0, lt=1)


class Ple(TaskBackbone):
    """Progressive layered extraction (Tang et al. 2020, sections 4.1 to 4.3).

    At each level task k has experts of its own, and a gate that mixes them with the shared ones;
    the shared representation's gate mixes all experts. Gates and experts of task k read what its
    gate gave at the level below, the shared ones what the shared gate gave; at the first level
    all read the input. The last level needs no shared gate.
    """

    name = "ple"
    summary = "experts of each task beside shared ones, mixed by gates, level by level"
    reference = (
        "Tang et al., Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model for "
        "Personalized Recommendations, RecSys 2020"
    )
    Options = PleOptions
    encodes_tasks = True
    takes_first_layer = True

    def __init__(
        self,
        inputs: int,
        tasks: int,
        options: PleOptions,
        network: SharedSettings,
        first: FirstLayer = nn.Linear,
    ) -> None:
        super().__init__()
        self.tasks, self.width = tasks, options.expert_width
        self.own, self.shared = options.task_experts, options.shared_experts
        self.total = tasks * self.own + self.shared
        # Of each task, and behind them of what is shared.
        self.experts = [self.own] * tasks + [self.shared]
        mixed = [self.own + self.shared] * tasks + [self.total]
        self.gates = [mixed] * (options.levels - 1) + [mixed[:-1]]
        # At the first level everything reads the input, so one layer computes it all.
        self.split = [self.total * self.width, sum(self.gates[0])]
        self.first = first(inputs, sum(self.split))
        self.later = nn.ModuleList(
            nn.ModuleList(
                nn.Linear(self.width, experts * self.width + gate)
                for experts, gate in zip(self.experts, (*gates, 0), strict=False)
            )
            for gates in self.gates[1:]
        )
        self.dropout = Dropout(options.expert_dropout)

    def forward(self, x: LayerInput) -> list[Tensor]:
        hidden, logits = outputs_in_parts(self.first, x, self.split)
        mixed = self._extract(hidden, torch.split(logits, self.gates[0], dim=1))
        for level, gates in zip(self.later, self.gates[1:], strict=True):
            hiddens, choices = [], []
            for layer, below, experts in zip(level.children(), mixed, self.experts, strict=True):
                output = layer(below)
                width = experts * self.width
                hiddens.append(output[:, :width])
                choices.append(output[:, width:])
            mixed = self._extract(torch.cat(hiddens, dim=1), choices[: len(gates)])
        return mixed

    def _extract(self, hidden: Tensor, logits: "tuple[Tensor, ...] | list[Tensor]") -> list[Tensor]:
        """What each gate makes of the experts: of their outputs [n, all * width] before ReLU."""
        experts = torch.unflatten(self.dropout.after_relu(hidden), 1, (self.total, self.width))
        weights = torch.stack([self._weights(k, gate) for k, gate in enumerate(logits)], dim=1)
        return list(torch.bmm(weights, experts).unbind(dim=1))

    def _weights(self, task: int, logits: Tensor) -> Tensor:
        """Weights [n, all] of one gate, 0 for the experts of other tasks."""
        weights = logits.softmax(dim=1)
        if task == self.tasks:
            return weights
        own, shared = torch.split(weights, [self.own, self.shared], dim=1)
        # In front of the task's own experts are those of the tasks before it.
        before, after = task * self.own, (self.tasks - 1 - task) * self.own
        return torch.cat([F.pad(own, (before, after)), shared], dim=1)
