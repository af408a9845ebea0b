"""The networks that only UKD has: an adversarial teacher and a student with two CVR heads."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.nn.backbones import Backbone
from postclick.nn.backbones.make import make_backbone
from postclick.nn.config import NetworkConfig
from postclick.nn.embedding import FeatureEmbedding
from postclick.nn.heads import Head, HeadOutput
from postclick.nn.mlp import MLP

DISCRIMINATOR = (64, 64)
# Each of the student's CVR heads drops other inputs, so that they disagree where little is known.
HEAD_DROPOUT = 0.2
# How fast the reversal reaches its full strength.
WARM_UP = 10.0


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradient, None


def reverse_gradient(x: Tensor, strength: float) -> Tensor:
    """The identity, whose gradient is multiplied by -strength (Ganin and Lempitsky 2015).

    >>> x = torch.ones(2, requires_grad=True)
    >>> reverse_gradient(x, 0.5).sum().backward()
    >>> x.grad
    tensor([-0.5000, -0.5000])
    """
    reversed_: Tensor = _Reversal.apply(x, strength)  # type: ignore[no-untyped-call]
    return reversed_


def reversal_strength(progress: float) -> float:
    """From 0 to 1 as `progress` of the phase goes from 0 to 1 (Ganin et al. 2016, section 5.2).

    >>> [round(reversal_strength(done), 3) for done in (0.0, 0.1, 0.5, 1.0)]
    [0.0, 0.462, 0.987, 1.0]
    """
    return math.tanh(WARM_UP * progress / 2)


class Teacher(nn.Module):
    """CVR on a representation in which clicked and unclicked impressions look alike.

    Shape: Batch of n -> conversion logit [n], click logit [n] of the discriminator
    """

    def __init__(
        self,
        embedding: FeatureEmbedding,
        base_rate: float,
        network: NetworkConfig,
        backbone: Backbone,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.backbone = make_backbone(backbone, embedding.width, 1, network)
        self.head = Head(self.backbone.width, network, base_rate)
        # Either space weighs one half, so its output starts at 1/2.
        even = network.model_copy(update={"tower": DISCRIMINATOR})
        self.discriminator = Head(self.head.tower.width, even, 0.5)

    def forward(self, batch: Batch) -> HeadOutput:
        return self._output(batch)[1]

    def with_domain(self, batch: Batch, strength: float) -> tuple[Tensor, Tensor]:
        """Both logits; the discriminator's gradient is reversed below it."""
        representation, output = self._output(batch)
        domain = self.discriminator(reverse_gradient(representation, strength))
        return output.logit, domain.logit

    def _output(self, batch: Batch) -> tuple[Tensor, HeadOutput]:
        below = self.backbone(self.embedding(batch.ids, batch.numeric, batch.bags))[0]
        output = self.head(below)
        top = self.head.tower.dropout(output.activations[-1]) if output.activations else below
        return top, output


class TwoHeadedStudent(nn.Module):
    """A CTR tower, and a CVR tower that ends in two heads with dropout of their own.

    Shape: [n, inputs] -> {ctr, cvr, cvr_second: logit [n]}
    """

    def __init__(
        self, inputs: int, rates: dict[str, float], network: NetworkConfig, backbone: Backbone
    ) -> None:
        super().__init__()
        self.backbone = make_backbone(backbone, inputs, 2, network)
        width = self.backbone.width
        self.tower = MLP(
            width, network.tower, dropout=network.dropout, batch_norm=network.batch_norm
        )
        bare = network.model_copy(update={"tower": ()})
        self.heads = nn.ModuleDict({"ctr": Head(width, network, rates["ctr"])})
        for name in ("cvr", "cvr_second"):
            self.heads[name] = Head(self.tower.width, bare, rates[name])
        self.dropout = nn.Dropout(HEAD_DROPOUT)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        for_ctr, for_cvr = self.backbone(x)
        shared: Tensor = self.tower(for_cvr)
        return {
            "ctr": self.heads["ctr"](for_ctr).logit,
            # Called once for each head: each draws a mask of its own.
            "cvr": self.heads["cvr"](self.dropout(shared)).logit,
            "cvr_second": self.heads["cvr_second"](self.dropout(shared)).logit,
        }
