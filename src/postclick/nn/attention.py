"""Attention between two representations of one impression, as AITM and DDPO transfer knowledge."""

import math

import torch
from torch import Tensor, nn


class TwoTokenAttention(nn.Module):
    """Weighs two tokens of an impression by their own query-key agreement (Xi et al. 2021).

    A token's score is Q . K / sqrt(dim) of that *same* token, not of a pair of tokens; softmax
    over the two scores gives the weights of the two values.

    Shape: two tokens [n, dim] -> [n, dim]. `bias` is that of the query, key and value layers.

    >>> TwoTokenAttention(4, bias=False)(torch.zeros(3, 4), torch.ones(3, 4)).shape
    torch.Size([3, 4])
    """

    def __init__(self, dim: int, bias: bool) -> None:
        super().__init__()
        self.scale = math.sqrt(dim)
        # Query, key and value of both tokens in one product.
        self.layer = nn.Linear(dim, 3 * dim, bias=bias)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        query, key, value = self.layer(torch.stack([first, second], dim=1)).chunk(3, dim=2)
        weight = ((query * key).sum(dim=2) / self.scale).softmax(dim=1)
        mixed: Tensor = (weight.unsqueeze(2) * value).sum(dim=1)
        return mixed


class CausalTransfer(nn.Module):
    """Feeds one task's representation into another's: DDPO's CTM, AITM's transfer.

    `source` becomes a token by ReLU(Linear(source)) and dropout, or as it is with
    `project=False`, which needs representations of equal width; attention then mixes it with
    `target`.

    Shape: source [n, sources], target [n, dim] -> [n, dim]

    >>> CausalTransfer(6, 4, bias=True)(torch.ones(3, 6), torch.ones(3, 4)).shape
    torch.Size([3, 4])
    """

    def __init__(
        self, sources: int, dim: int, *, bias: bool, project: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if not project and sources != dim:
            raise ValueError(f"tokens of width {sources} and {dim}: project=False needs equal ones")
        self.info: nn.Module = (
            nn.Sequential(nn.Linear(sources, dim), nn.ReLU(), nn.Dropout(dropout))
            if project
            else nn.Identity()
        )
        self.attention = TwoTokenAttention(dim, bias)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        mixed: Tensor = self.attention(self.info(source), target)
        return mixed
