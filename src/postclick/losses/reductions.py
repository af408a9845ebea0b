"""Reductions by name, from one value per impression [n] to a scalar.

They are separate functions because confusing them is the commonest error in this field:
`mean_entire(click * loss)` is not `mean_clicked(loss)`, they differ by the click rate. An empty
subset gives 0 and keeps the graph alive. Whatever sums over impressions does so by `total`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

# How often each row counts, [n]: set by `expectation` only.
_COUNTS: ContextVar[Tensor | None] = ContextVar("counts", default=None)


@contextmanager
def expectation(counts: Tensor) -> Iterator[None]:
    """Let row i stand for `counts[i]` impressions in every reduction.

    A population with known probabilities is then a batch with one row for each combination of
    features and labels, and a loss on it is that loss's expectation. Counts should add up to
    many, since the size of a subset is taken as 1 at the least.

    >>> with expectation(torch.tensor([30.0, 10.0])):
    ...     mean_entire(torch.tensor([1.0, 3.0]))
    tensor(1.5000)
    """
    token = _COUNTS.set(counts)
    try:
        yield
    finally:
        _COUNTS.reset(token)


def total(values: Tensor) -> Tensor:
    """Sum over impressions; of a 0/1 mask, how many there are.

    >>> total(torch.tensor([1.0, 0.0, 1.0]))
    tensor(2.)
    """
    counts = _COUNTS.get()
    return values.sum() if counts is None else (counts * values).sum()


def mean_entire(loss: Tensor) -> Tensor:
    """Mean over all impressions of the batch.

    >>> mean_entire(torch.tensor([1.0, 3.0]))
    tensor(2.)
    """
    return total(loss) / total(torch.ones_like(loss)).clamp(min=1.0)


def mean_over(loss: Tensor, mask: Tensor) -> Tensor:
    """Mean over the impressions where `mask` (0 or 1) is 1."""
    return total(mask * loss) / total(mask).clamp(min=1.0)


def mean_clicked(loss: Tensor, click: Tensor) -> Tensor:
    """Mean over clicked impressions.

    >>> mean_clicked(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0]))
    tensor(3.)
    """
    return mean_over(loss, click)


def mean_unclicked(loss: Tensor, click: Tensor) -> Tensor:
    """Mean over impressions that were not clicked."""
    return mean_over(loss, 1 - click)


def self_normalised(loss: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
    """Weighted mean over `mask`: the weights sum to 1 over it (SNIPS, Schnabel et al. 2016).

    >>> self_normalised(torch.tensor([1.0, 3.0]), torch.tensor([3.0, 1.0]), torch.ones(2))
    tensor(1.5000)
    """
    weight = mask * weight
    mass = total(weight)
    return total(weight * loss) / torch.where(mass > 0, mass, torch.ones_like(mass))


def weighted_mean(loss: Tensor, weight: Tensor, mask: Tensor, norm: str) -> Tensor:
    """Inverse-propensity mean of `loss` over `mask`, normalised by name.

    `"subset"` divides by the size of the subset, `"entire"` by the size of the batch (an
    estimate of the entire-space risk), `"self"` by the sum of the weights.

    >>> one = torch.ones(4)
    >>> mask = torch.tensor([1.0, 0.0, 0.0, 0.0])
    >>> [weighted_mean(one, 4 * one, mask, norm).item() for norm in ("subset", "entire", "self")]
    [4.0, 1.0, 1.0]
    """
    if norm == "subset":
        return mean_over(weight * loss, mask)
    if norm == "entire":
        return mean_entire(mask * weight * loss)
    if norm == "self":
        return self_normalised(loss, weight, mask)
    raise ValueError(f"unknown normalisation {norm!r}: use subset, entire or self")
