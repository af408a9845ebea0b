"""A loss as named terms, each with its weight and the impressions that it is a mean over."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor


class Term(NamedTuple):
    """One term of a loss.

    Attributes:
        value: a scalar, unweighted.
        weight: its weight in the sum that is minimised; with 0 the term is left out.
        space: the impressions whose predictions it trains, in words that begin with or contain
            `entire`, `clicked` or `unclicked`, e.g. `clicked, weight 1/pi`.
    """

    value: Tensor
    weight: float
    space: str


Terms = dict[str, Term]


def weighted_sum(terms: Mapping[str, Term]) -> Tensor:
    """What is minimised: the sum of the terms by their weights; those of weight 0 are left out.

    >>> ctr = Term(torch.tensor(0.5), 1.0, "entire")
    >>> cvr = Term(torch.tensor(0.25), 2.0, "clicked")
    >>> weighted_sum({"ctr": ctr, "cvr": cvr})
    tensor(1.)
    """
    return torch.stack([t.weight * t.value for t in terms.values() if t.weight > 0]).sum()
