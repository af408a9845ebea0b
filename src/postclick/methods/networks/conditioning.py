"""Conditioning a representation on a probability by an outer product (EVI, section 4.2)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONDITION_DIM = 5


class Conditioned(NamedTuple):
    """A representation [n, d] together with the probability [n] that it is conditioned on."""

    x: Tensor
    probability: Tensor


class OuterProduct(nn.Module):
    """The conditioned input itself, flatten(x outer e), e = a * probability + b of size k.

    Shape: Conditioned([n, d], [n]) -> [n, d * k], column (i, j) is x_i e_j

    >>> OuterProduct(2)(Conditioned(torch.ones(3, 4), torch.ones(3))).shape
    torch.Size([3, 8])
    """

    def __init__(self, condition_dim: int = CONDITION_DIM) -> None:
        super().__init__()
        self.project = nn.Linear(1, condition_dim)

    def forward(self, conditioned: Conditioned) -> Tensor:
        x, probability = conditioned
        condition: Tensor = self.project(probability.unsqueeze(1))
        return (x.unsqueeze(2) * condition.unsqueeze(1)).flatten(1)


class OuterProductLinear(nn.Module):
    """Linear layer on flatten(x outer e), e = a * probability + b with trainable a, b of size k.

    The conditioned input has k * d columns, but it need never be made: with W split into k
    blocks W_j of width d, the output is (sum_j a_j W_j) (p x) + (sum_j b_j W_j) x + bias, one
    product of width 2 d (exact, see tests/methods/networks/test_conditioning.py).

    Shape: Conditioned([n, d], [n]) -> [n, outputs]
    """

    def __init__(self, inputs: int, outputs: int, condition_dim: int = CONDITION_DIM) -> None:
        super().__init__()
        wide = nn.Linear(inputs * condition_dim, outputs)
        # [outputs, d, k]: column (i, j) of the flattened outer product is x_i e_j.
        self.weight = nn.Parameter(wide.weight.detach().reshape(outputs, inputs, condition_dim))
        self.bias = nn.Parameter(wide.bias.detach().clone())
        self.project = nn.Linear(1, condition_dim)

    def forward(self, conditioned: Conditioned) -> Tensor:
        return F.linear(*self.affine(conditioned))

    def affine(self, conditioned: Conditioned) -> tuple[Tensor, Tensor, Tensor]:
        """Input [n, 2 d], weight [outputs, 2 d] and bias [outputs] of a plain linear layer."""
        x, probability = conditioned
        slope, intercept = self.project.weight.squeeze(1), self.project.bias
        weight = torch.cat([self.weight @ slope, self.weight @ intercept], dim=1)
        return torch.cat([probability.unsqueeze(1) * x, x], dim=1), weight, self.bias
