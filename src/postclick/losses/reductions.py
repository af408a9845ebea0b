"""Reductions by name, from one value per impression [n] to a scalar.

They are separate functions because confusing them is the commonest error in this field:
`mean_entire(click * loss)` is not `mean_clicked(loss)`, they differ by the click rate. An empty
subset gives 0 and keeps the graph alive. Whatever sums over impressions does so by `total`, and
whatever divides by a number of impressions takes it from `size` or `batch_size`: rows may stand
for any number of them.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

import torch
from torch import Tensor

# How often each row counts, [n]: set by `expectation`.
_COUNTS: ContextVar[Tensor | None] = ContextVar("counts", default=None)


@contextmanager
def expectation(counts: Tensor) -> Iterator[None]:
    """Let row i stand for `counts[i]` impressions in every reduction.

    A population with known probabilities is then a batch with one row for each combination of
    features and labels, and a loss on it is that loss's expectation.

    >>> with expectation(torch.tensor([30.0, 10.0])):
    ...     mean_entire(torch.tensor([1.0, 3.0]))
    tensor(1.5000)
    """
    token = _COUNTS.set(counts)
    try:
        yield
    finally:
        _COUNTS.reset(token)


def row_weights(weight: Tensor | None) -> AbstractContextManager[None]:
    """Let row i stand for `weight[i]` impressions, as `expectation` does; None leaves all as it is.

    A loss under whole weights is that of the batch in which each row is there as often as its
    weight says, and so are its gradients. Weights are 0 or more and may add up to less than 1.

    >>> with row_weights(torch.tensor([0.3, 0.1])):
    ...     mean_entire(torch.tensor([1.0, 3.0]))
    tensor(1.5000)
    >>> with row_weights(None):
    ...     mean_entire(torch.tensor([1.0, 3.0]))
    tensor(2.)
    """
    return nullcontext() if weight is None else expectation(weight)


def total(values: Tensor) -> Tensor:
    """Sum over impressions; of a 0/1 mask, how many there are.

    >>> total(torch.tensor([1.0, 0.0, 1.0]))
    tensor(2.)
    """
    counts = _COUNTS.get()
    return values.sum() if counts is None else (counts * values).sum()


def size(mask: Tensor) -> Tensor:
    """How many impressions a 0/1 mask has, to divide by: 1 if it has none.

    >>> size(torch.tensor([1.0, 0.0, 1.0])), size(torch.zeros(3))
    (tensor(2.), tensor(1.))
    """
    if _COUNTS.get() is None:
        return total(mask).clamp(min=1.0)
    return _or_one(total(mask))


def batch_size(values: Tensor) -> float | Tensor:
    """How many impressions the n rows of `values` [n, ...] stand for, to divide by.

    >>> batch_size(torch.zeros(3)), batch_size(torch.zeros(0))
    (3, 1)
    """
    counts = _COUNTS.get()
    return max(values.shape[0], 1) if counts is None else _or_one(counts.sum())


def _or_one(mass: Tensor) -> Tensor:
    return torch.where(mass > 0, mass, torch.ones_like(mass))


def shares(mask: Tensor) -> Tensor:
    """What each row adds to a mean over the impressions of a 0/1 mask, [n]; they sum to 1, or to 0.

    For means of more than one value a row: `einsum("n,nk->k", shares(mask), values)`.

    >>> shares(torch.tensor([1.0, 0.0, 1.0]))
    tensor([0.5000, 0.0000, 0.5000])
    """
    counts = _COUNTS.get()
    return (mask if counts is None else counts * mask) / size(mask)


def mean_entire(loss: Tensor) -> Tensor:
    """Mean over all impressions of the batch.

    >>> mean_entire(torch.tensor([1.0, 3.0]))
    tensor(2.)
    """
    return total(loss) / size(torch.ones_like(loss))


def mean_over(loss: Tensor, mask: Tensor) -> Tensor:
    """Mean over the impressions where `mask` (0 or 1) is 1."""
    return total(mask * loss) / size(mask)


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
    return total(weight * loss) / _or_one(total(weight))


def mean_pairs(
    loss: Callable[[Tensor, Tensor], Tensor], values: Tensor, first: Tensor, second: Tensor
) -> Tensor:
    """Mean of `loss(a, b)` over all pairs of an impression of one mask and one of another.

    A pair stands for as many as the product of what its two rows stand for. No pair gives 0.

    Args:
        loss: of values a [i, 1] and b [1, j], [i, j].
        values: one for each impression, [n].
        first, second: 0/1 masks, [n].

    >>> z, v = torch.tensor([2.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0])
    >>> mean_pairs(lambda a, b: a - b, z, v, 1 - v)
    tensor(1.5000)
    """
    counts = _COUNTS.get()
    a, b = first > 0, second > 0
    found = loss(values[a].unsqueeze(1), values[b].unsqueeze(0))
    if counts is None:
        return found.sum() / max(found.numel(), 1)
    weight = counts[a].unsqueeze(1) * counts[b].unsqueeze(0)
    return (weight * found).sum() / _or_one(weight.sum())


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
