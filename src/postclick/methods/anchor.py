"""Anchor: click-space CVR whose logit starts from a learnt share of the CTR logit."""

import math

import torch
from torch import Tensor, nn

from postclick.data.prepared import BaseRates
from postclick.methods.base import Outputs
from postclick.methods.contract import Contract
from postclick.methods.naive import Naive

# Adam moves a parameter by about the learning rate, whatever its gradient: alpha moves ten times
# as far, as far as a logit that is a sum over many weights does.
GAIN = 10.0


class Anchor(Naive):
    """The naive losses, with a CVR logit that reads the CTR logit.

    With z_p, z_q the logits that the network's heads say, b the CTR of the training split:

        logit q = z_q + alpha (sg(z_p) - logit b),  alpha = 10 a, a learnt from 0
        L = mean_D l(p; c) + mean_C l(q; v)

    sg = stop-gradient: no CVR loss trains the CTR head. z_p is without the exposure's part, so
    that pCVR is the same at every exposure.
    """

    name = "anchor"
    summary = "click-space CVR that adds a learnt multiple of the CTR logit"
    reference = (
        "of this library; an offset with a learnt slope, as in McCullagh and Nelder, Generalized "
        "Linear Models, 1989"
    )
    expect = (
        "as consistent as `naive`: nothing is corrected that the features do not show. What it "
        "saves is labels: clicks are many, and alpha, one number, says how far converting goes "
        "along with clicking. Little is gained, or a little lost, where the two run against each "
        "other."
    )
    variants = {}
    contract = Contract()

    def build(self, rates: BaseRates) -> None:
        super().build(rates)
        self.a = nn.Parameter(torch.zeros(()))
        # Kept with the weights: what alpha was learnt beside.
        self.register_buffer("base", torch.tensor(math.log(rates.ctr / (1 - rates.ctr))))

    @property
    def alpha(self) -> Tensor:
        """By how much the CVR logit grows with the CTR logit, a scalar."""
        return GAIN * self.a

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        logits = dict(super().heads(x, serving=serving).logits)
        base = self.get_buffer("base")
        logits["cvr"] = logits["cvr"] + self.alpha * (logits["ctr"].detach() - base)
        return Outputs(logits)
