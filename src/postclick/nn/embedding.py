"""All categorical fields in one embedding table, with field offsets."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from postclick.nn.config import NetworkConfig

# Ids, offsets and weights of one multi-valued feature: [k], [n], [k].
BagTensors = tuple[Tensor, Tensor, Tensor]


class FeatureEmbedding(nn.Module):
    """A batch's features as one vector x per impression.

    Ids come with their field's offset added, so no two fields share a row. Row 0 of each field
    (unseen, missing, rare) starts at zero: a value that training never saw adds nothing.
    Gradients of the table are sparse; `postclick.training` has the optimizers for them.

    Shape:
        ids int64 [n, fields], numeric [n, numerics], a `BagTensors` for each multi-valued
        feature -> [n, width], width = (fields + bags) * dim + numerics (or + dim with
        `numeric="project"`).
    """

    def __init__(
        self,
        field_sizes: Sequence[int],
        bag_sizes: Sequence[int],
        numerics: int,
        dim: int,
        config: NetworkConfig,
    ) -> None:
        super().__init__()
        sizes = [*field_sizes, *bag_sizes]
        self.dim = dim
        table = torch.empty(sum(sizes), dim)
        if not table.is_meta:  # else its values are loaded; drawing none would load torch._dynamo
            table.normal_(std=config.embedding_std)
            if sizes:
                table[torch.tensor([0, *sizes[:-1]], dtype=torch.long).cumsum(0)] = 0.0
        self.table = nn.Parameter(table)
        self.fields = len(field_sizes)
        self.project: nn.Module = nn.Identity()
        numeric_width = numerics
        if config.numeric == "project" and numerics:
            self.project = nn.Linear(numerics, dim)
            numeric_width = dim
        self.width = len(sizes) * dim + numeric_width

    def forward(self, ids: Tensor, numeric: Tensor, bags: Sequence[BagTensors] = ()) -> Tensor:
        parts: list[Tensor] = []
        if self.fields:
            parts.append(F.embedding(ids, self.table, sparse=True).flatten(1))
        for values, offsets, weights in bags:
            pooled = F.embedding_bag(
                values, self.table, offsets, mode="sum", sparse=True, per_sample_weights=weights
            )
            parts.append(pooled)
        if numeric.shape[1]:
            parts.append(self.project(numeric))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
