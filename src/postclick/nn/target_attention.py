"""Attention of a list's elements to a target: the activation unit of a Deep Interest Network."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class TargetAttention(nn.Module):
    """What each element h of a list counts for a target t (Zhou et al. 2018, section 4.3).

    The score is an MLP of [h, t, h - t, h * t] with ReLU layers. Scores are not normalised: as in
    the paper there is no softmax, so that a list with much that fits its target sums to more
    than one with little. The last bias starts at 1, where the pooling is a plain sum.

    Args:
        dim: of h and t.
        widths: of the hidden layers; the paper's figure has one of 36.

    >>> import torch
    >>> TargetAttention(2, ())(torch.ones(3, 2), torch.ones(1, 2), torch.tensor([0, 0, 0])).shape
    torch.Size([3])
    """

    def __init__(self, dim: int, widths: Sequence[int]) -> None:
        super().__init__()
        sizes = (4 * dim, *widths, 1)
        self.layers = nn.ModuleList(nn.Linear(below, width) for below, width in pairwise(sizes))
        nn.init.ones_(self.layers[-1].get_parameter("bias"))

    def forward(self, elements: Tensor, target: Tensor, rows: Tensor | None = None) -> Tensor:
        """The scores of elements, each against the target of its row.

        Shape:
            elements [k, dim], target [n, dim] and rows int64 [k], whose target each element
            meets, -> [k]; or without rows elements [n, length, dim] and target [n, 1, dim], n
            being 1 in either of them if all rows share it, -> [n, length].
        """
        first, *others = self.layers
        weight, bias = first.get_parameter("weight"), first.get_parameter("bias")
        of_element, of_target, of_difference, of_product = weight.chunk(4, dim=1)
        # Products with t alone are made once for a row, not for each of its elements.
        hidden = F.linear(target, of_target - of_difference, bias)
        if rows is not None:
            target, hidden = target.index_select(0, rows), hidden.index_select(0, rows)
        hidden = F.linear(elements, of_element + of_difference) + hidden
        hidden = hidden + F.linear(elements * target, of_product)
        for layer in others:
            hidden = layer(hidden.relu())
        return hidden.squeeze(-1)
