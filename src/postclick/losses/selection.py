"""A selection model in which one latent cause drives both clicks and conversions."""

from __future__ import annotations

import torch
from torch import Tensor

from postclick.latent import Latent, latent
from postclick.mean_logit import log_sigmoid, mean_logit

NORMAL = latent("normal")


def marginal_logit(logit: Tensor, scale: float | Tensor = 1.0, over: Latent = NORMAL) -> Tensor:
    """The logit of E_u sigma(logit + scale u): what is seen where the latent cause is not.

    Shape: logit [n], scale a number or [n] -> [n]

    >>> marginal_logit(torch.tensor([-2.0, 0.0, 2.0]))
    tensor([-1.6924,  0.0000,  1.6924])
    """
    nodes, log_weights = _nodes(logit, over)
    each = logit.unsqueeze(-1) + _column(scale) * nodes
    return mean_logit(each, log_weights)


def logit_given_click(
    click_logit: Tensor, conversion_logit: Tensor, dependence: float | Tensor, over: Latent = NORMAL
) -> Tensor:
    """The logit of P(conversion | click): those who click are not like those who do not.

    With a latent u of mean 0 and variance 1, P(click | u) = sigma(a + u) and, once clicked,
    P(conversion | u) = sigma(b + s u); u has been averaged over those who click.

    Args:
        click_logit: a, [n].
        conversion_logit: b, [n].
        dependence: s; 0 gives b back.
        over: the distribution of u.

    Source: Heckman, "Sample selection bias as a specification error", 1979; van de Ven and van
    Praag, "The demand for deductibles in private health insurance", 1981, for two binary outcomes;
    here with logistic links.

    >>> a, b = torch.tensor([-3.0]), torch.tensor([-2.0])
    >>> [round(logit_given_click(a, b, s).item(), 3) for s in (0.0, 1.0)]
    [-2.0, -0.96]
    """
    return _given(click_logit, conversion_logit, dependence, over, clicked=True)


def logit_without_click(
    click_logit: Tensor, conversion_logit: Tensor, dependence: float | Tensor, over: Latent = NORMAL
) -> Tensor:
    """The logit of the probability that who does not click would have converted, see
    `logit_given_click`."""
    return _given(click_logit, conversion_logit, dependence, over, clicked=False)


def _given(a: Tensor, b: Tensor, s: float | Tensor, over: Latent, *, clicked: bool) -> Tensor:
    nodes, log_weights = _nodes(a, over)
    click = a.unsqueeze(-1) + nodes
    share = log_weights + log_sigmoid(click if clicked else -click)
    each = b.unsqueeze(-1) + _column(s) * nodes
    return mean_logit(each, share)


def _nodes(like: Tensor, over: Latent) -> tuple[Tensor, Tensor]:
    nodes = torch.tensor(over.nodes.tolist(), dtype=like.dtype, device=like.device)
    weights = torch.tensor(over.weights.tolist(), dtype=like.dtype, device=like.device)
    return nodes, weights.log()


def _column(scale: float | Tensor) -> float | Tensor:
    return scale.unsqueeze(-1) if isinstance(scale, Tensor) else scale
