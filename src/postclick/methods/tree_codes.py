"""What trees read of a log's values: a category of each field, and which values a list has."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from postclick.data.prepared import InputSpec, PreparedLog
from postclick.methods.networks.boosted_trees import CATEGORIES

# Values of each multi-valued feature of which a tree can ask whether a row has it.
MOST_FLAGS = 32


def flags_of(inputs: InputSpec) -> int:
    """Numbers that each value has: 1, or as many as a list has flags."""
    return max(1, min(MOST_FLAGS, max(inputs.bag_sizes, default=0) - 1))


def value_codes(log: PreparedLog, inputs: InputSpec) -> Tensor:
    """An embedding table, [values, flags], that gives trees what they read.

    The first number of a field's value is its rank among the 254 most frequent ones in training;
    all others, and what training has not seen, are 0: of more categories than fit its 255 bins
    LightGBM itself keeps the most frequent ones. The numbers of a list's value are all 0 but for
    a 1 at its rank, so that in their sum over a row those are above 0 whose values it has: this
    stays exact however the sum is rounded, which a mean of rates, cut by a threshold, would not.
    """
    counts = _counts(log, inputs)
    flags = flags_of(inputs)
    table = torch.zeros(len(counts), flags)
    first = 0
    for field, size in enumerate((*inputs.field_sizes, *inputs.bag_sizes)):
        is_list = field >= len(inputs.field_sizes)
        kept = _most_frequent(counts[first : first + size], flags if is_list else CATEGORIES - 1)
        rank = torch.arange(len(kept))
        values = torch.from_numpy(kept) + first
        if is_list:
            table[values, rank] = 1.0
        else:
            table[values, 0] = rank.float() + 1
        first += size
    return table


def _counts(log: PreparedLog, inputs: InputSpec) -> NDArray[np.int64]:
    """How often each value occurs in the training split."""
    total = sum(inputs.field_sizes) + sum(inputs.bag_sizes)
    counts = np.zeros(total, np.int64)
    for window in log.windows("train"):
        for values in (window.ids.flatten(), *(bag.values for bag in window.bags)):
            counts += np.bincount(values.numpy(), minlength=total)
    return counts


def _most_frequent(counts: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The values that occur most often, the most frequent first; 0 stands for unseen ones."""
    order = np.argsort(-counts[1:], kind="stable")[:most] + 1
    return order[counts[order] > 0]
