"""The networks that only EVI has: its conditioned teacher and the variational transfer."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from postclick.errors import InputError
from postclick.losses import batch_size, gaussian_nll, total
from postclick.methods.networks.conditioning import (
    CONDITION_DIM,
    Conditioned,
    OuterProduct,
    OuterProductLinear,
)
from postclick.nn.backbones import Backbone, find_backbone
from postclick.nn.backbones.make import make_backbone
from postclick.nn.config import NetworkConfig
from postclick.nn.first_layer import FirstLayer, LayerInput
from postclick.nn.heads import Head, HeadOutput, full_precision

RHO_START = 5.0
VARIANCE_FLOOR = 1e-3


class Teacher(nn.Module):
    """CVR-T with a backbone and tower of its own, conditioned on pCTR (EVI, section 4.2).

    A backbone that takes first layers gets those of which the outer product of input and
    condition is part; any other is fed that product.

    Shape: x [n, inputs], pCTR [n] -> HeadOutput([n], activations)
    """

    def __init__(
        self,
        inputs: int,
        start: float,
        condition_at: str,
        config: NetworkConfig,
        backbone: Backbone,
    ) -> None:
        super().__init__()
        self.condition_at = condition_at
        at_input = condition_at == "input"
        self.product = None
        if at_input and not find_backbone(backbone).takes_first_layer:
            self.product, inputs = OuterProduct(), CONDITION_DIM * inputs
        first: FirstLayer = OuterProductLinear if at_input and self.product is None else nn.Linear
        self.backbone = make_backbone(backbone, inputs, 1, config, first)
        tower_first = first if self.backbone.reads_input else nn.Linear
        last: FirstLayer = OuterProductLinear if condition_at == "representation" else nn.Linear
        self.head = Head(self.backbone.width, config, start, tower_first, last)

    def forward(self, x: Tensor, ctr: Tensor) -> HeadOutput:
        read: LayerInput = Conditioned(x, ctr) if self.condition_at == "input" else x
        if self.product is not None:
            read = self.product(read)
        representation = self.backbone(read)[0]
        if self.condition_at != "representation":
            output: HeadOutput = self.head(representation)
            return output
        activations = self.head.activations(representation)
        top = activations[-1] if activations else representation
        conditioned = Conditioned(self.head.tower.dropout(top), ctr)
        return HeadOutput(full_precision(self.head.last(conditioned).squeeze(1)), activations)


class ActivationPair(NamedTuple):
    """Teacher activations [n, m], the student's guess of them [n, m], and rho [m]."""

    teacher: Tensor
    guess: Tensor
    rho: Tensor


class VariationalTransfer(nn.Module):
    """mu_k = Linear(S_k) and rho_k for the last K layers of a tower (EVI, Eqs. 10 and 11)."""

    def __init__(self, tower: Sequence[int], layers: int, *, trainable: bool) -> None:
        super().__init__()
        if layers > len(tower):
            raise InputError(
                f"method evi: transfer_layers={layers}, but the tower has {len(tower)} layers: "
                "lower it or deepen network.tower"
            )
        widths = list(tower)[len(tower) - layers :]
        self.mean = nn.ModuleList(nn.Linear(width, width) for width in widths)
        self.rho = nn.ParameterList(
            nn.Parameter(torch.full((width,), RHO_START), requires_grad=trainable)
            for width in widths
        )

    def forward(self, teacher: list[Tensor], student: list[Tensor]) -> list[ActivationPair]:
        layers = len(self.mean)
        return [
            ActivationPair(full_precision(t), full_precision(mean(s)), rho)
            for t, s, mean, rho in zip(
                teacher[-layers:], student[-layers:], self.mean, self.rho, strict=True
            )
        ]


def vie_loss(
    pairs: Sequence[ActivationPair], *, detach_teacher: bool, reduction: str, softplus_is: str
) -> Tensor:
    """Sum over layers of the mean over impressions of the Gaussian negative log-likelihood.

    Within a layer `reduction` is the mean or the sum over neurons.
    """
    summed = pairs[0].rho.new_zeros(())
    for teacher, guess, rho in pairs:
        spread = F.softplus(rho) + VARIANCE_FLOOR
        variance = spread.square() if softplus_is == "std" else spread
        target = teacher.detach() if detach_teacher else teacher
        per_row = gaussian_nll(target, guess, variance).sum(dim=1)
        scale = teacher.shape[1] if reduction == "mean" else 1
        summed = summed + total(per_row) / (scale * batch_size(per_row))
    return summed
