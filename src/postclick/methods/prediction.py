"""What a method predicts, and its correction for unclicked rows that were left out."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


class Prediction(NamedTuple):
    """Serving outputs: logits [n] of pCTR and pCVR.

    `log_ctcvr` [n] is ln pCTCVR where a method predicts it other than as pCTR x pCVR, and
    `propensity` [n] the logit used in weights where that is not pCTR's.
    """

    ctr: Tensor
    cvr: Tensor
    log_ctcvr: Tensor | None = None
    propensity: Tensor | None = None

    def shifted(self, by: float) -> "Prediction":
        """Predictions for all impressions from those for a sample, `by` = ln R.

        Where unclicked impressions stay with probability R, Bayes' rule gives
        odds of a click = R x odds in the sample; pCVR is given a click and stays what it is.
        Source: He et al., "Practical lessons from predicting clicks on ads at Facebook", 2014.

        >>> import math, torch
        >>> found = Prediction(torch.zeros(1), torch.ones(1)).shifted(math.log(0.25))
        >>> found.ctr.sigmoid(), bool(found.cvr == 1)
        (tensor([0.2000]), True)
        """
        if by == 0:
            return self
        propensity = None if self.propensity is None else self.propensity + by
        return self.with_ctr(self.ctr + by, propensity)

    def with_ctr(self, ctr: Tensor, propensity: Tensor | None = None) -> "Prediction":
        """The same pCVR with another pCTR, and so with another pCTCVR."""
        log_ctcvr = self.log_ctcvr
        if log_ctcvr is not None:
            # By as much as ln pCTR, above which rounding must not lift it.
            log_ctr = F.logsigmoid(ctr)
            log_ctcvr = (log_ctcvr + (log_ctr - F.logsigmoid(self.ctr))).minimum(log_ctr)
        return Prediction(ctr, self.cvr, log_ctcvr, propensity)
