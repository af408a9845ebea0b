"""All categorical fields in one embedding table, with field offsets."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from postclick.nn.config import NetworkConfig
from postclick.nn.target_attention import TargetAttention

# Ids, offsets and weights of one multi-valued feature: [k], [n], [k].
BagTensors = tuple[Tensor, Tensor, Tensor]


class FeatureEmbedding(nn.Module):
    """A batch's features as one vector x per impression.

    Ids come with their field's offset added, so no two fields share a row. Row 0 of each field
    (unseen, missing, rare) starts at zero: a value that training never saw adds nothing.
    Gradients of the table are sparse; `postclick.training` has the optimizers for them.

    A bag is the sum of its ids' embeddings times their weights, or, where `targets` names a field
    for it, times their scores in a `TargetAttention` to that field besides.

    Shape:
        ids int64 [n, fields], numeric [n, numerics], a `BagTensors` for each multi-valued
        feature -> [n, width], width = (fields + bags) * dim + numerics (or + dim with
        `numeric="project"`).

    Elements of vectors stand behind the numerics in `numeric`. They go to the network as they
    are, or through a linear map of their own where `vectors` has a number of outputs for them:
    without a bias, so that a missing vector, which is all zeros, adds nothing.

    Args:
        vectors: size of each vector and what it is projected to, None for as it is.
    """

    def __init__(
        self,
        field_sizes: Sequence[int],
        bag_sizes: Sequence[int],
        numerics: int,
        dim: int,
        config: NetworkConfig,
        targets: Sequence[int | None] = (),
        vectors: Sequence[tuple[int, int | None]] = (),
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
        self.columns = len(sizes)  # of x, the first columns * dim are embeddings
        self.project: nn.Module = nn.Identity()
        numeric_width = numerics
        if config.numeric == "project" and numerics:
            self.project = nn.Linear(numerics, dim)
            numeric_width = dim
        self.numerics = numerics
        # Size and width of each vector.
        self.vectors = [(size, size if to is None else to) for size, to in vectors]
        self.width = len(sizes) * dim + numeric_width + sum(width for _, width in self.vectors)
        self.targets = {number: field for number, field in enumerate(targets) if field is not None}
        # Last, so that the start of everything else is as it is without.
        self.attention = nn.ModuleDict(
            {str(number): TargetAttention(dim, config.attention) for number in self.targets}
        )
        self.projections = nn.ModuleDict(
            {
                str(number): nn.Linear(size, to, bias=False)
                for number, (size, to) in enumerate(vectors)
                if to is not None
            }
        )

    def forward(self, ids: Tensor, numeric: Tensor, bags: Sequence[BagTensors] = ()) -> Tensor:
        parts: list[Tensor] = []
        fields = F.embedding(ids, self.table, sparse=True) if self.fields else None
        if fields is not None:
            parts.append(fields.flatten(1))
        for number, bag in enumerate(bags):
            if fields is not None and number in self.targets:
                parts.append(self._attended(number, bag, fields[:, self.targets[number]]))
                continue
            values, offsets, weights = bag
            pooled = F.embedding_bag(
                values, self.table, offsets, mode="sum", sparse=True, per_sample_weights=weights
            )
            parts.append(pooled)
        parts += self.numbers(numeric)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def numbers(self, numeric: Tensor) -> list[Tensor]:
        """What becomes of the numerics and of each vector; nothing, if there are none."""
        if not self.vectors:
            return [self.project(numeric)] if numeric.shape[1] else []
        sizes = [self.numerics, *(size for size, _ in self.vectors)]
        plain, *vectors = torch.split(numeric, sizes, dim=1)
        parts = [self.project(plain)] if self.numerics else []
        for number, vector in enumerate(vectors):
            key = str(number)
            parts.append(self.projections[key](vector) if key in self.projections else vector)
        return parts

    def _attended(self, number: int, bag: BagTensors, target: Tensor) -> Tensor:
        """A bag's elements summed by their scores against `target` [n, dim]."""
        values, offsets, weights = bag
        lengths = offsets.diff(append=offsets.new_tensor([len(values)]))
        rows = torch.repeat_interleave(lengths, output_size=len(values))
        elements = F.embedding(values, self.table, sparse=True)
        scores = self.attention[str(number)](elements, target, rows) * weights
        return torch.zeros_like(target).index_add(0, rows, scores.unsqueeze(1) * elements)
