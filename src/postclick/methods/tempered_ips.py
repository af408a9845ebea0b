"""Tempered IPS: inverse propensities to a power between 0 and 1."""

from typing import Literal

from pydantic import Field

from postclick.losses import Term, Terms, clicked_ipw_loss, cross_entropy, ctr_loss, propensity
from postclick.methods.base import Labels, Method, Outputs, PropensityConfig, Weight
from postclick.ranges import UNIT, WEIGHT, Between, Choice


class TemperedIpsConfig(PropensityConfig):
    """Options of tempered IPS.

    Attributes:
        alpha: the power of 1/pi: 0 is `naive`, 1 is inverse propensity weighting. `tune` chooses
            it on validation clicks, by whatever metric it is given.
        ipw_norm: divide the weighted CVR loss by all impressions (`entire`), by the clicked ones
            (`clicked`) or by the sum of the weights (`self`, self-normalised). At alpha = 0 the
            last two are the mean over clicks; at 1 the first is `multi_ipw`, the last `snips`.
    """

    search = {
        **PropensityConfig.search,
        "alpha": Between(0.0, 1.0),
        "ipw_norm": Choice(("entire", "clicked", "self")),
        "cvr_weight": WEIGHT,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
    }

    alpha: float = Field(default=0.5, ge=0, le=1)
    ipw_norm: Literal["entire", "clicked", "self"] = "self"
    ctr_weight: float = Weight
    cvr_weight: float = Weight

    def idle(self) -> frozenset[str]:
        # 1 to whatever power.
        return frozenset(("clip",) if self.alpha == 0 else ())


class TemperedIps(Method[TemperedIpsConfig]):
    """Joint CTR model and CVR loss with weights between none and inverse propensities.

    L = mean_D l(p; c) + sum_C [l(q; v) / pi^alpha] / sum_C [1 / pi^alpha], pi = clipped,
    detached pCTR, C clicked impressions; `ipw_norm` divides by something else.
    """

    name = "tempered_ips"
    summary = "CVR weighted by a power of the inverse propensity, beside CTR"
    reference = "Aouali et al., Exponential Smoothing for Off-Policy Learning, ICML 2023"
    expect = (
        "consistent at every alpha where the network can fit every impression, as `naive` is. A "
        "network that cannot is fitted best to impressions that were clicked (0) or to all of them "
        "alike (1); between the two, alpha trades bias for variance. `tune` chooses it on "
        "validation clicks, which are the space that alpha = 0 is fitted to."
    )
    backbone = "mmoe"
    Config = TemperedIpsConfig

    @staticmethod
    def terms(config: TemperedIpsConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        pi = propensity(ctr, config.clip, detach=config.detach_propensity) ** config.alpha
        loss = clicked_ipw_loss(cross_entropy(cvr, conversion), pi, click, config.ipw_norm)
        return {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "cvr": Term(loss, config.cvr_weight, "clicked, weight 1/pi^alpha"),
        }
