"""Embedded features in an exported graph: lists are padded, the user's columns come apart."""

from collections.abc import Sequence
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from postclick.nn.embedding import FeatureEmbedding
from postclick.serving.bundle.column_owners import ColumnOwners
from postclick.serving.bundle.partly_shared_rows import PartlySharedRows, as_tensor

# Ids and weights [n, length] of one multi-valued feature.
PaddedBag = tuple[Tensor, Tensor]


class PaddedEmbedding(nn.Module):
    """`FeatureEmbedding` with the same weights, whose bags are padded: ids and weights [n, L].

    It reads the columns of each owner apart, as ids, numbers and bags of their own. What a list
    of the user makes of each candidate, or the other way round, is among the candidates' columns.
    """

    def __init__(self, embedding: FeatureEmbedding, owners: ColumnOwners) -> None:
        super().__init__()
        self.table, self.project = embedding.table, embedding.project
        self.attention, self.bags = embedding.attention, [owned.bags for owned in owners]
        # Of each bag that is attended: the owner that its target is of, and its place there.
        self.targets = {
            bag: next((k, owned.ids.index(f)) for k, owned in enumerate(owners) if f in owned.ids)
            for bag, f in embedding.targets.items()
        }
        fields = len(owners.own.ids) + len(owners.user.ids)
        bags = len(owners.own.bags) + len(owners.user.bags)
        of_ids = [range(k * embedding.dim, (k + 1) * embedding.dim) for k in range(fields + bags)]
        # Projected numbers are one vector of all numbers, and not divided.
        identity = isinstance(embedding.project, nn.Identity)
        behind_numbers = embedding.width - sum(width for _, width in embedding.vectors)
        of_numbers = range((fields + bags) * embedding.dim, behind_numbers)
        # How many numerics each owner has, and which vectors, with the columns of what they become.
        self.projections = embedding.projections
        self.plain = [sum(k < embedding.numerics for k in owned.numerics) for owned in owners]
        self.vectors: list[dict[int, int]] = [{} for _ in owners]
        of_vectors: list[list[int]] = [[] for _ in owners]
        first, column = embedding.numerics, behind_numbers
        for vector, (size, width) in enumerate(embedding.vectors):
            owner = next(k for k, owned in enumerate(owners) if first in owned.numerics)
            self.vectors[owner][vector] = size
            of_vectors[owner].extend(range(column, column + width))
            first, column = first + size, column + width
        self.columns = [
            [
                *chain.from_iterable(of_ids[k] for k in owned.ids),
                *chain.from_iterable(
                    of_ids[fields + k] for k in owned.bags if not self._crosses(k, number)
                ),
                *(of_numbers[k] for k in owned.numerics[: self.plain[number]] if identity),
                *(of_numbers if self.plain[number] and not identity else ()),
                *of_vectors[number],
            ]
            for number, owned in enumerate(owners)
        ]
        for number, owned in enumerate(owners):
            crossing = (of_ids[fields + k] for k in owned.bags if self._crosses(k, number))
            self.columns[0].extend(chain.from_iterable(crossing))

    def _crosses(self, bag: int, owner: int) -> bool:
        """Whether a bag of one owner is attended to a target of the other."""
        return bag in self.targets and self.targets[bag][0] != owner

    def forward(
        self, ids: Sequence[Tensor], numeric: Sequence[Tensor], bags: Sequence[Sequence[PaddedBag]]
    ) -> Tensor:
        fields = [F.embedding(owned, self.table) for owned in ids]
        blocks = [[embedded.flatten(1)] if embedded.shape[1] else [] for embedded in fields]
        crossing: list[Tensor] = []
        for number, lists in enumerate(bags):
            for bag, padded in zip(self.bags[number], lists, strict=True):
                pooled = self._pooled(bag, padded, fields)
                (crossing if self._crosses(bag, number) else blocks[number]).append(pooled)
        for number, numbers in enumerate(numeric):
            blocks[number] += self._numbers(number, numbers)
        blocks[0] += crossing
        own, *user = [p[0] if len(p) == 1 else torch.cat(p, dim=1) for p in blocks if p]
        if not user:
            order = sorted(range(own.shape[1]), key=self.columns[0].__getitem__)
            return own if order == list(range(len(order))) else own[:, order]
        return as_tensor(PartlySharedRows(own, user[0], *self.columns))

    def _numbers(self, owner: int, numbers: Tensor) -> list[Tensor]:
        """What becomes of the numerics and of the vectors of one owner."""
        plain, vectors = self.plain[owner], self.vectors[owner]
        parts = []
        if plain:
            parts.append(self.project(numbers[:, :plain] if vectors else numbers))
        for vector, size in vectors.items():
            elements, key = numbers[:, plain : plain + size], str(vector)
            known = key in self.projections
            parts.append(self.projections[key](elements) if known else elements)
            plain += size
        return parts

    def _pooled(self, bag: int, padded: PaddedBag, fields: Sequence[Tensor]) -> Tensor:
        """[n, dim], or one row where the user alone has a say."""
        values, weights = padded
        vectors = F.embedding(values, self.table)
        if bag in self.targets:
            owner, place = self.targets[bag]
            weights = self.attention[str(bag)](vectors, fields[owner][:, [place]]) * weights
        return torch.bmm(weights.unsqueeze(1), vectors).squeeze(1)
