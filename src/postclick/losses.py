"""Losses as pure functions on logits, one value per impression, and the reductions by name.

Every loss is a *positive* binary cross-entropy l(a; y) = -[y ln a + (1 - y) ln(1 - a)], taken in
logit space, so that logits of +-30 and products of small probabilities stay finite and exact.
Reductions are separate functions because confusing them is the commonest error in this field:
`mean_entire(click * loss)` is not `mean_clicked(loss)`, they differ by the click rate.

All tensors have shape [n], one value per impression of a batch; n may be 0.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logit: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy l(sigmoid(logit); target), soft targets allowed.

    The gradient flows into `target` as well if it is not detached.

    >>> cross_entropy(torch.tensor([0.0, 30.0]), torch.tensor([1.0, 1.0]))
    tensor([6.9315e-01, 9.3576e-14])
    """
    return -(target * F.logsigmoid(logit) + (1 - target) * F.logsigmoid(-logit))


def log_product(logit_a: Tensor, logit_b: Tensor) -> tuple[Tensor, Tensor]:
    """ln t and ln(1 - t) of t = sigmoid(logit_a) sigmoid(logit_b), without leaving log space.

    For t > 1/2, 1 - t is taken as the sum of sigmoid(-a) and sigmoid(a) sigmoid(-b). For smaller
    t that sum is near 1 and would lose t in rounding, gradients included: there it is log1p(-t).

    >>> both = log_product(torch.tensor([-30.0, 30.0]), torch.tensor([-30.0, 30.0]))
    >>> both[0], both[1]
    (tensor([-6.0000e+01, -1.8715e-13]), tensor([-8.7565e-27, -2.9307e+01]))
    """
    log_a = F.logsigmoid(logit_a)
    log_t = log_a + F.logsigmoid(logit_b)
    small = log_t < -math.log(2)
    # The branch not taken gets a harmless argument: its gradient must not be 0 times infinity.
    of_small = torch.log1p(-torch.where(small, log_t, -1.0).exp())
    of_large = torch.logaddexp(F.logsigmoid(-logit_a), log_a + F.logsigmoid(-logit_b))
    return log_t, torch.where(small, of_small, of_large)


def product_cross_entropy(logit_a: Tensor, logit_b: Tensor, target: Tensor) -> Tensor:
    """l(sigmoid(a) sigmoid(b); target): the CTCVR loss, ESMM (Ma et al. 2018), Eq. 1."""
    log_t, log_rest = log_product(logit_a, logit_b)
    return -(target * log_t + (1 - target) * log_rest)


def propensity(ctr_logit: Tensor, clip: tuple[float, float], *, detach: bool = True) -> Tensor:
    """Click propensity for use in a weight: pCTR, detached and clipped to [low, high].

    >>> propensity(torch.tensor([-9.0, 0.0]), (0.01, 0.99))
    tensor([0.0100, 0.5000])
    """
    logit = ctr_logit.detach() if detach else ctr_logit
    return logit.sigmoid().clamp(*clip)


def pseudo_label(logit: Tensor, *, detach: bool = True) -> Tensor:
    """A head's probability as another head's soft label."""
    return (logit.detach() if detach else logit).sigmoid()


def gaussian_nll(target: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """1/2 ln variance + (target - mean)^2 / (2 variance), elementwise, without the constant.

    >>> gaussian_nll(torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor([1.0]))
    tensor([0.5000])
    """
    return 0.5 * variance.log() + (target - mean).square() / (2 * variance)


# --- reductions: [n] -> scalar. An empty subset gives 0 and keeps the graph alive.

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
