"""Doubly robust losses with an imputation that predicts the CVR error itself."""

import math
from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor

from postclick.losses.reductions import mean_entire

Activation = Literal["sigmoid", "softplus"]
DetachMode = Literal["sound", "released"]


class DoublyRobust(NamedTuple):
    """The loss that predictions learn from, and the one that imputations learn from."""

    cvr: Tensor
    imputation: Tensor


def imputed_error(logit: Tensor, activation: Activation) -> Tensor:
    """m >= 0 from the imputation head: `sigmoid` keeps it below 1, `softplus` does not.

    >>> import torch
    >>> imputed_error(torch.zeros(1), "softplus")
    tensor([0.6931])
    """
    return logit.sigmoid() if activation == "sigmoid" else -F.logsigmoid(-logit)


def error_start(cvr: float, activation: Activation) -> float:
    """The probability of the imputation logit at which m is the mean error of a constant pCVR.

    That error is the entropy of the clicked CVR, in nats.

    >>> round(error_start(0.5, "sigmoid"), 4)
    0.6931
    """
    entropy = -cvr * math.log(cvr) - (1 - cvr) * math.log1p(-cvr)
    # softplus(z) = -ln(1 - sigmoid(z))
    return entropy if activation == "sigmoid" else -math.expm1(-entropy)


def error_imputation(
    error: Tensor, imputed: Tensor, weight: Tensor, mode: DetachMode, *, absolute: bool = False
) -> DoublyRobust:
    """mean_D [m + w (e - m)] and mean_D [w (e - m)^2] for e = l(q; v), w = c / pi.

    `sound` detaches m in the first and e in the second, so that imputations learn to match
    errors and predictions learn from the first alone. `released` detaches nothing, as in the
    official code: the second then trains q as well. `absolute` puts |e - m| into the first.
    """
    fixed_error, fixed_imputed = error, imputed
    if mode == "sound":
        fixed_error, fixed_imputed = error.detach(), imputed.detach()
    gap = error - fixed_imputed
    corrected = fixed_imputed + weight * (gap.abs() if absolute else gap)
    return DoublyRobust(
        mean_entire(corrected), mean_entire(weight * (fixed_error - imputed).square())
    )
