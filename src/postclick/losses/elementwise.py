"""Element-wise losses on logits: one value per impression.

Every loss is a *positive* binary cross-entropy l(a; y) = -[y ln a + (1 - y) ln(1 - a)], taken in
logit space, so that logits of +-30 and products of small probabilities stay finite and exact.

All tensors have shape [n], one value per impression of a batch; n may be 0.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Lowest and highest propensity.
Clip = tuple[float, float]


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


def propensity(ctr_logit: Tensor, clip: Clip, *, detach: bool = True) -> Tensor:
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
