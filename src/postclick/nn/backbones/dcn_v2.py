"""DCN-v2: explicit products of features by a cross network, beside or below deep layers."""

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from postclick.nn.backbones.base import BackboneOptions, TaskBackbone
from postclick.nn.mlp import MLP
from postclick.nn.shared_settings import SharedSettings, Width
from postclick.ranges import Choice


class DcnV2Options(BackboneOptions):
    """Options of DCN-v2.

    Attributes:
        cross_layers: L; products of up to L + 1 features are formed.
        cross_rank: rank r of each cross layer's matrix, W = U V' with U, V [inputs, r] (one
            expert of the paper's mixture); `None` leaves it full.
        structure: `stacked` feeds the crossed input to the deep layers, `parallel` puts the
            outputs of both side by side.
        deep: widths of the deep layers.
    """

    search = {
        "cross_layers": Choice((1, 2, 3)),
        "cross_rank": Choice((None, 32, 64)),
        "structure": Choice(("stacked", "parallel")),
        "deep": Choice(((128,), (256,), (256, 128))),
    }

    cross_layers: int = Field(default=2, ge=1)
    cross_rank: int | None = Field(default=None, ge=1)
    structure: Literal["stacked", "parallel"] = "stacked"
    deep: tuple[Width, ...] = (128,)

    @model_validator(mode="after")
    def _parallel_needs_two_parts(self) -> Self:
        if self.structure == "parallel" and not self.deep:
            raise ValueError(
                "structure=parallel leaves nothing beside the cross network with an empty deep: "
                "set deep=[128], or structure=stacked"
            )
        return self


class CrossLayer(nn.Module):
    """x0 * (W x + b) + x, with W full or of rank r (Wang et al. 2021, Eqs. 1 and 2).

    Shape: x0 and x [n, inputs] -> [n, inputs]

    >>> layer = CrossLayer(3, rank=1)
    >>> layer(torch.ones(2, 3), torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self, inputs: int, rank: int | None) -> None:
        super().__init__()
        self.weight: nn.Module
        if rank is None:
            self.weight = nn.Linear(inputs, inputs)
        else:
            self.weight = nn.Sequential(
                nn.Linear(inputs, rank, bias=False), nn.Linear(rank, inputs)
            )

    def forward(self, first: Tensor, x: Tensor) -> Tensor:
        return torch.addcmul(x, first, self.weight(x))


class DcnV2(TaskBackbone):
    """One deep & cross encoder for all tasks (Wang et al. 2021).

    The tasks share it as they share a bottom: what differs by task are the towers on top.
    """

    name = "dcn_v2"
    summary = "one encoder for all tasks: a cross network, then or beside deep layers"
    reference = (
        "Wang et al., DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-scale "
        "Learning to Rank Systems, WWW 2021"
    )
    Options = DcnV2Options

    def __init__(
        self, inputs: int, tasks: int, options: DcnV2Options, network: SharedSettings
    ) -> None:
        super().__init__()
        self.tasks = tasks
        self.parallel = options.structure == "parallel"
        self.cross = nn.ModuleList(
            CrossLayer(inputs, options.cross_rank) for _ in range(options.cross_layers)
        )
        self.deep = MLP(
            inputs, options.deep, dropout=network.dropout, batch_norm=network.batch_norm
        )
        self.width = self.deep.width + (inputs if self.parallel else 0)

    def forward(self, x: Tensor) -> list[Tensor]:
        crossed = x
        for layer in self.cross:
            crossed = layer(x, crossed)
        if self.parallel:
            return [torch.cat([crossed, self.deep(x)], dim=1)] * self.tasks
        return [self.deep(crossed)] * self.tasks
