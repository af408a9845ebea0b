"""ESCM2-IPW: ESMM with an inverse-propensity weighted CVR loss on clicked impressions."""

from typing import Any, ClassVar

from pydantic import Field

from postclick.losses import (
    Term,
    Terms,
    clicked_ipw_loss,
    cross_entropy,
    ctcvr_loss,
    ctr_loss,
    propensity,
)
from postclick.losses.shared import IpwNorm
from postclick.methods.base import Labels, Method, Outputs, PropensityConfig, Weight
from postclick.ranges import SWITCH, UNIT, WEIGHT, Choice


class Escm2IpwConfig(PropensityConfig):
    """`ipw_norm`: how the weighted CVR loss is normalised.

    `entire` divides by all impressions (the paper), `clicked` by the clicked ones, `self` by the
    sum of the weights; `released` is the official code's n min(1 / (n_C pi), 15), a mean over
    all impressions, which equals `clicked` unless the cap binds. It has no upper clip of pi.
    """

    search = {
        **PropensityConfig.search,
        "ipw_norm": Choice(("entire", "clicked", "self")),
        "cvr_weight": WEIGHT,
        "ctcvr_weight": WEIGHT,
        "detach_ctr_in_ctcvr": SWITCH,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
    }

    ipw_norm: IpwNorm = "entire"
    ctr_weight: float = Weight
    cvr_weight: float = Field(default=0.1, ge=0)
    ctcvr_weight: float = Weight
    detach_ctr_in_ctcvr: bool = False
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "evi_repo": {
            "clip": (1e-7, 1 - 1e-7),
            "detach_propensity": False,
            "cvr_weight": 1.0,
            "ctcvr_weight": 0.1,
        }
    }


class Escm2Ipw(Method[Escm2IpwConfig]):
    """ESCM2 with inverse propensity weighting.

    L = L_ctr + w_cvr mean_D[c l(q; v) / pi] + w_ctcvr L_ctcvr, pi = clipped, detached pCTR.
    Consistent where the propensity is right and nothing unobserved drives click and conversion.
    """

    name = "escm2_ipw"
    summary = "ESMM plus an inverse-propensity weighted CVR loss on clicked impressions"
    reference = "Wang et al., ESCM2, SIGIR 2022; as quoted in EVI, Eq. 6"
    expect = (
        "consistent with a right propensity; small propensities make it noisy, so look at clip "
        "share, effective sample size and the held-out mean of c / pi."
    )
    backbone = "mmoe"
    Config = Escm2IpwConfig

    @staticmethod
    def terms(config: Escm2IpwConfig, outputs: Outputs, labels: Labels) -> Terms:
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        clip = (config.clip[0], 1.0) if config.ipw_norm == "released" else config.clip
        pi = propensity(ctr, clip, detach=config.detach_propensity)
        loss = cross_entropy(cvr, labels.conversion)
        return {
            "ctr": Term(ctr_loss(ctr, labels.click), config.ctr_weight, "entire"),
            "cvr": Term(
                clicked_ipw_loss(loss, pi, labels.click, config.ipw_norm),
                config.cvr_weight,
                "clicked, weight 1/pi",
            ),
            "ctcvr": Term(
                ctcvr_loss(ctr, cvr, *labels, detach_ctr=config.detach_ctr_in_ctcvr),
                config.ctcvr_weight,
                "entire",
            ),
        }
