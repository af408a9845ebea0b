"""Loss terms that several papers share, as functions of logits and labels."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from postclick.losses.elementwise import cross_entropy, product_cross_entropy
from postclick.losses.reductions import (
    mean_clicked,
    mean_entire,
    mean_over,
    mean_pairs,
    size,
    total,
    weighted_mean,
)

IpwNorm = Literal["entire", "clicked", "self", "released"]
# The official code of ESCM2 lets no weight n / (n_C pi) count for more.
LARGEST_RELEASED = 15.0


def ctr_loss(ctr_logit: Tensor, click: Tensor) -> Tensor:
    """mean_D l(p; c): the CTR term of every method.

    >>> import torch
    >>> ctr_loss(torch.zeros(2), torch.tensor([1.0, 0.0]))
    tensor(0.6931)
    """
    return mean_entire(cross_entropy(ctr_logit, click))


def ctcvr_loss(
    ctr_logit: Tensor,
    cvr_logit: Tensor,
    click: Tensor,
    conversion: Tensor,
    *,
    detach_ctr: bool = False,
) -> Tensor:
    """mean_D l(p q; c v), the entire-space CTCVR term. ESMM (Ma et al. 2018), Eq. 1.

    `detach_ctr` stops it from training the CTR head.

    >>> import torch
    >>> click, conversion = torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.0])
    >>> ctcvr_loss(torch.zeros(2), torch.zeros(2), click, conversion)
    tensor(0.8370)
    """
    factor = ctr_logit.detach() if detach_ctr else ctr_logit
    return mean_entire(product_cross_entropy(factor, cvr_logit, click * conversion))


def pairwise_ranking_loss(cvr_logit: Tensor, click: Tensor, conversion: Tensor) -> Tensor:
    """mean of ln(1 + exp(z_j - z_i)) over all pairs of a clicked converter i and a clicked other j.

    RankNet (Burges et al. 2005), within a batch; beside cross-entropy it is the Combined-Pair loss
    of Lin et al., Understanding the Ranking Loss for Recommendation with Sparse User Feedback, KDD
    2024. A shift of all logits does not change it. Where a batch has no pair it is 0.

    >>> import torch
    >>> z, click = torch.tensor([1.0, 1.0, 0.0, 9.0]), torch.tensor([1.0, 1.0, 1.0, 0.0])
    >>> pairwise_ranking_loss(z, click, torch.tensor([1.0, 0.0, 0.0, 0.0]))
    tensor(0.5032)
    """
    converted, not_converted = click * conversion, click * (1 - conversion)
    return mean_pairs(lambda i, j: F.softplus(j - i), cvr_logit, converted, not_converted)


def listwise_ranking_loss(cvr_logit: Tensor, click: Tensor, conversion: Tensor) -> Tensor:
    """ln mean_C exp z minus the mean of z over clicked converters: the clicks of a batch, one list.

    The softmax cross-entropy of ListNet (Cao et al. 2007) as the Combined-List loss of Lin et al.
    2024 has it, less the logarithm of the number of clicks, which no gradient feels. A shift of
    all logits does not change it. It is smallest where exp z, not the odds, goes with the
    conversion rate. Where no click of a batch converted it is 0.

    >>> import torch
    >>> z, click = torch.tensor([1.0, 1.0, 0.0, 9.0]), torch.tensor([1.0, 1.0, 1.0, 0.0])
    >>> listwise_ranking_loss(z, click, torch.tensor([1.0, 0.0, 0.0, 0.0]))
    tensor(-0.2366)
    """
    converted, clicked = click * conversion, click > 0
    top = cvr_logit[clicked].max().detach() if clicked.any() else cvr_logit.new_zeros(())
    z = torch.where(clicked, cvr_logit - top, 0.0)
    # Never below 1/n for a list that has a row; 0 where all rows count for nothing.
    size = mean_clicked(z.exp(), click).clamp(min=torch.finfo(z.dtype).tiny).log()
    found = size - mean_over(z, converted)
    return torch.where(total(converted) > 0, found, torch.zeros_like(found))


def clicked_ipw_loss(loss: Tensor, pi: Tensor, click: Tensor, norm: IpwNorm) -> Tensor:
    """Inverse-propensity weighted `loss` [n] on clicked impressions, normalised by name.

    `entire` divides by all impressions, `clicked` by the clicked ones, `self` by the sum of the
    weights, `released` is n min(1 / (n_C pi), 15) as a mean over all impressions, as in the
    official code of ESCM2 (Wang et al. 2022).

    >>> import torch
    >>> one, click = torch.ones(2), torch.tensor([1.0, 0.0])
    >>> [clicked_ipw_loss(one, 0.25 * one, click, n).item() for n in ("entire", "clicked", "self")]
    [2.0, 4.0, 1.0]
    """
    if norm == "released":
        clicks = size(click)
        return total(click * loss * (1 / (pi * clicks)).clamp(max=LARGEST_RELEASED))
    return weighted_mean(loss, 1 / pi, click, "subset" if norm == "clicked" else norm)
