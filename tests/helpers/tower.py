"""A plain PyTorch model with tables and a network, and the loop that anybody trains it with."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from postclick.optim import RowwiseAdam
from postclick.optim.adam_settings import Mode

Inputs = tuple[Tensor, Tensor, Tensor]
STEPS = 80
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
ROUNDING = {torch.float32: 2e-6, torch.float64: 1e-12}


class Tower(nn.Module):
    """Ids and weighted histories -> two tables -> a small network -> one number.

    Ids are Zipf-like: some rows are in every batch, some in few, the last tenth in none, and
    histories repeat theirs.
    """

    def __init__(self, rows: int = 300, dim: int = 4, *, sparse: bool, **bag: Any) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.rows = rows
        self.items = nn.Embedding(rows, dim, sparse=sparse)
        self.history = nn.EmbeddingBag(rows, dim, sparse=sparse, **{"mode": "sum", **bag})
        self.first, self.last = nn.Linear(3 * dim, 8), nn.Linear(8, 1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))

    def forward(self, ids: Tensor, seen: Tensor, weights: Tensor) -> Tensor:
        bag_weights = weights if self.history.mode == "sum" else None
        read = [self.items(ids).flatten(1), self.history(seen, per_sample_weights=bag_weights)]
        return self.last(torch.tanh(self.first(torch.cat(read, 1)))).squeeze(1)

    def batches(self, steps: int, size: int = 24, seed: int = 1) -> Iterator[Inputs]:
        """Ids [size, 2], histories [size, 5] and their weights [size, 5]."""
        generator = torch.Generator().manual_seed(seed)
        dtype = self.first.weight.dtype
        for _ in range(steps):
            draws = torch.rand(2, size, 5, generator=generator, dtype=torch.float64)
            ids = (draws.pow(3) * 0.9 * self.rows).long()
            weights = torch.rand(size, 5, generator=generator).to(dtype)
            yield ids[0, :, :2], ids[1], weights

    def loss(self, inputs: Inputs) -> Tensor:
        target = torch.sin(inputs[0].sum(1).to(self.first.weight.dtype))
        return (self(*inputs) - target).square().mean()

    def tables(self) -> list[nn.Parameter]:
        return [self.items.weight, self.history.weight]

    def network(self) -> list[nn.Parameter]:
        return [*self.first.parameters(), *self.last.parameters()]

    def difference(self, other: "Tower") -> float:
        """Largest difference of any weight."""
        pairs = zip(self.parameters(), other.parameters(), strict=True)
        return max(float((a - b).detach().abs().max()) for a, b in pairs)


def train(
    tower: Tower,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Inputs],
    after: Callable[[], Any] = lambda: None,
) -> list[float]:
    """The loop that anybody has; returns the losses."""
    losses = []
    for inputs in batches:
        optimizer.zero_grad()
        loss = tower.loss(inputs)
        loss.backward()
        optimizer.step()
        after()
        losses.append(loss.item())
    return losses


def rowwise(tower: Tower, mode: Mode = "exact", **options: Any) -> RowwiseAdam:
    """The optimizer, attached to its tower."""
    optimizer = RowwiseAdam(tower.parameters(), mode=mode, **options)
    optimizer.attach(tower)
    return optimizer


def dense_twin(dtype: torch.dtype = torch.float32, **bag: Any) -> Tower:
    return Tower(sparse=False, **bag).to(dtype)


def sparse_tower(dtype: torch.dtype = torch.float32, **bag: Any) -> Tower:
    return Tower(sparse=True, **bag).to(dtype)
