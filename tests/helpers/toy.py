"""A toy regression through an embedding table: sparse gradients here, dense ones there."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Toy(nn.Module):
    """Three ids -> their embeddings -> a small network -> one number.

    The ids are Zipf-like: some rows are in every batch, some in few, the last tenth in none.
    """

    def __init__(self, rows: int = 400, dim: int = 4, *, sparse: bool, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.rows, self.sparse = rows, sparse
        self.table = nn.Parameter(torch.randn(rows, dim, generator=generator) * 0.1)
        self.first = nn.Parameter(torch.randn(3 * dim, 8, generator=generator) * 0.3)
        self.last = nn.Parameter(torch.randn(8, generator=generator) * 0.3)

    def forward(self, ids: Tensor) -> Tensor:
        x = F.embedding(ids, self.table, sparse=self.sparse).flatten(1)
        return torch.tanh(x @ self.first) @ self.last

    def batches(self, steps: int, size: int = 32, seed: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Ids [size, 3] and targets [size], the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        for _ in range(steps):
            u = torch.rand(size, 3, generator=generator, dtype=torch.float64)
            ids = (u.pow(3) * 0.9 * self.rows).long()
            noise = torch.randn(size, generator=generator).to(self.table.dtype)
            yield ids, torch.sin(ids.sum(1).to(self.table.dtype)) + 0.1 * noise

    def backward(self, ids: Tensor, target: Tensor) -> float:
        """Fresh gradients of the mean squared error."""
        self.zero_grad()
        loss = F.mse_loss(self(ids), target)
        loss.backward()
        return loss.item()

    def difference(self, other: "Toy") -> float:
        """Largest difference of any weight."""
        pairs = zip(self.parameters(), other.parameters(), strict=True)
        return max(float((a - b).detach().abs().max()) for a, b in pairs)
