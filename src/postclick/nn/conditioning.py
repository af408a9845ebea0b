"""Conditioning a representation on a probability by an outer product (EVI, section 4.2)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

CONDITION_DIM = 5


class Conditioned(NamedTuple):
    """A representation [n, d] together with the probability [n] that it is conditioned on."""

    x: Tensor
    probability: Tensor


class OuterProductLinear(nn.Module):
    """Linear layer on flatten(x outer e), e = a * probability + b with trainable a, b of size k.

    The conditioned input has k * d columns, but it need never be made: with W split into k
    blocks W_j of width d, the output is p * (sum_j a_j W_j) x + (sum_j b_j W_j) x + bias, two
    products of width d (exact, see tests/nn/test_conditioning.py).

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
        x, probability = conditioned
        slope, intercept = self.project.weight.squeeze(1), self.project.bias
        both = torch.cat([self.weight @ slope, self.weight @ intercept])
        scaled, plain = (x @ both.T).chunk(2, dim=1)
        return probability.unsqueeze(1) * scaled + plain + self.bias
