"""The logit of a mean of probabilities, from their logits."""

import torch
import torch.nn.functional as F
from torch import Tensor


def log_sigmoid(logit: Tensor) -> Tensor:
    """ln sigma, finite for any logit in a bundle, too, whose own is the logarithm of a 0 there."""
    return -F.softplus(-logit)


def mean_logit(logits: Tensor, log_shares: Tensor | None = None, dim: int = -1) -> Tensor:
    """Logit of sum_k w_k sigma(z_k) / sum_k w_k, over `dim`.

    Taken of the probability and of its complement in log space, so that neither rounds to 0.

    Args:
        logits: the z_k along `dim`.
        log_shares: the ln w_k, of a shape that spreads over `logits`; None where all count alike.

    >>> mean_logit(torch.tensor([[0.0, -200.0], [-300.0, -300.0]]))
    tensor([  -1.0986, -300.0000])
    """
    shares = torch.zeros_like(logits) if log_shares is None else log_shares
    yes = torch.logsumexp(shares + log_sigmoid(logits), dim=dim)
    no = torch.logsumexp(shares + log_sigmoid(-logits), dim=dim)
    return yes - no
