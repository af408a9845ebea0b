"""Boosted decision trees as tensors: their sum is predicted by a few gathers for each level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

# Categories are numbers 0 to 254; a row of a table of sets has a bit more, so that it is aligned.
CATEGORIES = 255
SET_SIZE = 256
BELOW_CATEGORIES = -1.0


class BoostedTrees(nn.Module):
    """The sum of what the leaves of trees say, for trees of any shape within the limits.

    A split sends a row to the left if its feature is at most a threshold, or, where the feature
    is a category, if it is in a set. Nodes of a tree are its splits, then its leaves; a leaf's
    children are the leaf itself, so that all rows take `depth` steps. Trees that are not used
    have value 0.

    Args:
        trees: that there can be.
        leaves: of a tree, at the most.
        depth: splits between root and leaf, at the most.
        categories: features that are categories; they come first.

    Attributes:
        used: how many trees there are; the others are not evaluated.

    Shape: features [n, p] -> [n]
    """

    # Of each node: its feature, threshold (below all categories where it has a set), row of `sets`
    # (0, which is empty, where it has none), children and value.
    feature: Tensor
    threshold: Tensor
    set_of: Tensor
    child: Tensor
    value: Tensor
    # Which categories go to the left.
    sets: Tensor
    count: Tensor

    def __init__(self, trees: int, leaves: int, depth: int, categories: int) -> None:
        super().__init__()
        self.depth, self.categories, self.nodes, self.used = depth, categories, 2 * leaves - 1, 0
        total = trees * self.nodes
        sets = trees * (leaves - 1) + 1 if categories else 0
        for name, start in {
            "feature": torch.zeros(total, dtype=torch.long),
            "threshold": torch.zeros(total),
            "set_of": torch.zeros(total, dtype=torch.long),
            "child": torch.zeros(2 * total, dtype=torch.long),
            "value": torch.zeros(total),
            "sets": torch.zeros(sets * SET_SIZE, dtype=torch.bool),
            "count": torch.zeros((), dtype=torch.long),
        }.items():
            self.register_buffer(name, start)
        if not self.child.is_meta:  # else its values are loaded
            self.child.view(total, 2).copy_(torch.arange(total).unsqueeze(1))
        self.register_load_state_dict_post_hook(_count_trees)  # type: ignore[no-untyped-call]

    def take(self, trees: Mapping[str, Tensor]) -> None:
        """Set all trees, from tensors named as the buffers are."""
        for name, tensor in trees.items():
            self.get_buffer(name).copy_(tensor)
        self.used = int(self.count)

    def forward(self, features: Tensor) -> Tensor:
        if not self.used:
            return 0.0 * features[:, 0]
        roots = torch.arange(self.used, device=features.device) * self.nodes
        # Not `expand`: an exported graph would ask some input for its number of rows.
        node = roots + (0.0 * features[:, :1]).long()
        for _ in range(self.depth):
            found = features.gather(1, self._at(self.feature, node))
            left = found <= self._at(self.threshold, node)
            if self.categories:
                category = found.clamp(0, CATEGORIES - 1).long()
                left |= self._at(self.sets, self._at(self.set_of, node) * SET_SIZE + category)
            node = self._at(self.child, 2 * node + 1 - left.long())
        # In double: hundreds of small numbers add up.
        return self._at(self.value, node).double().sum(1).to(features.dtype)

    def _at(self, values: Tensor, index: Tensor) -> Tensor:
        """`values[index]`, which takes longer."""
        return values.index_select(0, index.reshape(-1)).view(-1, self.used)


def _count_trees(module: nn.Module, _: Any) -> None:
    assert isinstance(module, BoostedTrees)
    if not module.count.is_meta:
        module.used = int(module.count)
