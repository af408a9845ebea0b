"""The click propensity in log space, for powers of 1/pi and weights that keep their gradient."""

import math
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from postclick.losses.elementwise import Clip

# Far above any weight that a sensible clip allows; float32 overflows at 3e38, and pi^-3 of the
# widest clip lies beyond that.
LARGEST_WEIGHT = 1e20


class LogPropensity(NamedTuple):
    """ln pi and ln(1 - pi), each [n], of a clipped propensity pi.

    The gradient of 1/pi = exp(-ln pi) with respect to a logit stays as large as 1/pi itself,
    where that of 1/sigmoid(logit) passes through 1/pi^2 and overflows.
    """

    click: Tensor
    rest: Tensor

    @classmethod
    def of(cls, logit: Tensor, clip: Clip, *, detach: bool = True) -> "LogPropensity":
        """pi = sigmoid(logit) clipped to [low, high]; no gradient outside of the clip.

        >>> import torch
        >>> LogPropensity.of(torch.tensor([-9.0, 0.0]), (0.01, 0.99)).inverse()
        tensor([100.0000,   2.0000])
        """
        logit = logit.detach() if detach else logit
        low, high = clip
        return cls(
            F.logsigmoid(logit).clamp(math.log(low), math.log(high)),
            F.logsigmoid(-logit).clamp(math.log1p(-high), math.log1p(-low)),
        )

    def inverse(self) -> Tensor:
        """1/pi."""
        return self.weight(0, 1)

    def inverse_rest(self) -> Tensor:
        """1/(1 - pi)."""
        return (-self.rest).exp()

    def weight(self, above: int, below: int) -> Tensor:
        """(1 - pi)^above / pi^below, at the most `LARGEST_WEIGHT`."""
        log_weight = above * self.rest - below * self.click
        return log_weight.clamp(max=math.log(LARGEST_WEIGHT)).exp()
