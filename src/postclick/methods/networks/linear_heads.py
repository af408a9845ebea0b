"""Logits that are linear in a batch's features, several at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Numerics are in standard deviations; one beyond this adds no more than one at it.
LIMIT = 4.0
# Starts of a factorisation machine, whose mean is served.
STARTS = 4


class LinearHeads(nn.Module):
    """Adds up a row's embeddings of `outputs` numbers each, and a slope for each of its numbers.

    Args:
        columns: embeddings of a row: fields and multi-valued features.
        outputs: size of an embedding, one number for each logit.
        numerics: numerics, which are clipped to 4 standard deviations.
        elements: of vectors, which are not.

    Attributes:
        slopes: [numerics + elements, outputs], 0 at first.
        intercepts: [outputs].

    Shape: x [n, columns * outputs + numerics + elements] -> [n, outputs]
    """

    def __init__(self, columns: int, outputs: int, numerics: int, elements: int) -> None:
        super().__init__()
        self.columns, self.outputs, self.numerics = columns, outputs, numerics
        self.slopes = nn.Parameter(torch.zeros(numerics + elements, outputs))
        self.intercepts = nn.Parameter(torch.zeros(outputs))

    def embedded(self, x: Tensor) -> Tensor:
        """The embeddings of a row one by one, [n, columns, outputs]."""
        # Not x[:, :width]: an exported graph has x in two parts, which functions put together.
        width = self.columns * self.outputs
        return torch.narrow(x, 1, 0, width).reshape(-1, self.columns, self.outputs)

    def numbers(self, x: Tensor) -> Tensor:
        """What slopes are multiplied by, [n, numerics + elements]."""
        first, size = self.columns * self.outputs, self.slopes.shape[0]
        numbers = torch.narrow(x, 1, first, size)
        return clipped(numbers, self.numerics)

    def products(self, x: Tensor, first: int, size: int) -> Tensor:
        """What pairs of columns add, by outputs from `first` on as factors, [n].

        The mean over starts of a factorisation machine with `size` factors.
        """
        embedded = self.embedded(x)[:, :, first:]
        total, squares = embedded.sum(1), embedded.square().sum(1)
        if self.slopes.shape[0]:
            slopes, numbers = self.slopes[:, first:], self.numbers(x)
            total = total + numbers @ slopes
            squares = squares + numbers.square() @ slopes.square()
        starts = (self.outputs - first) // size
        return 0.5 * (total.square() - squares).sum(1) / starts

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.embedded(x).sum(1) + self.intercepts
        return found if not self.slopes.shape[0] else found + self.numbers(x) @ self.slopes


def clipped(numbers: Tensor, numerics: int) -> Tensor:
    """Numerics within 4 standard deviations, the elements of vectors behind them as they are.

    >>> clipped(torch.tensor([[9.0, 9.0]]), 1)
    tensor([[4., 9.]])
    """
    plain, elements = numbers[:, :numerics], numbers[:, numerics:]
    return torch.cat([plain.clamp(-LIMIT, LIMIT), elements], dim=1)
