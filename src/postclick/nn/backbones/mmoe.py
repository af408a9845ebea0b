"""MMoE: a mixture of experts with a gate for each task."""

import torch
from pydantic import Field
from torch import Tensor, nn

from postclick.nn.backbones.base import BackboneOptions, TaskBackbone
from postclick.nn.dropout import Dropout
from postclick.nn.first_layer import FirstLayer, LayerInput, outputs_in_parts
from postclick.nn.shared_settings import SharedSettings
from postclick.ranges import Choice


class MMoEOptions(BackboneOptions):
    """Options of MMoE.

    Attributes:
        experts, expert_width: how many experts of one layer there are, and its width.
        expert_dropout: of the experts' outputs.
    """

    search = {
        "experts": Choice((4, 8)),
        "expert_width": Choice((64, 128, 256)),
        "expert_dropout": Choice((0.0, 0.1, 0.3)),
    }

    experts: int = Field(default=8, ge=1)
    expert_width: int = Field(default=256, ge=1)
    expert_dropout: float = Field(default=0.3, ge=0, lt=1)


class MMoE(TaskBackbone):
    """Multi-gate mixture of experts (Ma et al. 2018): experts of one layer, a gate per task.

    All experts are one matrix and all gates another: two products, whatever their number.
    """

    name = "mmoe"
    summary = "experts of one layer, which a gate mixes for each task"
    reference = (
        "Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate "
        "Mixture-of-Experts, KDD 2018"
    )
    Options = MMoEOptions
    encodes_tasks = True
    takes_first_layer = True

    def __init__(
        self,
        inputs: int,
        tasks: int,
        options: MMoEOptions,
        network: SharedSettings,
        first: FirstLayer = nn.Linear,
    ) -> None:
        super().__init__()
        self.tasks, self.experts, self.width = tasks, options.experts, options.expert_width
        self.split = [self.experts * self.width, tasks * self.experts]
        # Experts and gates read the same input, so one layer computes both.
        self.layer = first(inputs, sum(self.split))
        self.dropout = Dropout(options.expert_dropout)

    def forward(self, x: LayerInput) -> list[Tensor]:
        hidden, gate_logits = outputs_in_parts(self.layer, x, self.split)
        experts = torch.unflatten(self.dropout.after_relu(hidden), 1, (self.experts, self.width))
        gates = torch.unflatten(gate_logits, 1, (self.tasks, self.experts)).softmax(dim=2)
        return list(torch.bmm(gates, experts).unbind(dim=1))
