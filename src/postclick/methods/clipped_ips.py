"""Clipped IPS: inverse propensities with a floor high enough to tame their variance."""

from pydantic import Field

from postclick.losses import Term, Terms, cross_entropy, ctr_loss, propensity, weighted_mean
from postclick.methods.base import CLIP_RANGE, Clip, Labels, Method, MethodConfig, Outputs, Weight
from postclick.ranges import READING, UNIT, WEIGHT, Between


class ClippedIpsConfig(MethodConfig):
    """`floor`: M, the smallest propensity that a weight is made of; there is no upper clip.

    No weight is above 1/M. At 1 all weights are 1, and the loss is click-space CVR over the
    batch size.
    """

    search = {
        "floor": Between(0.001, 0.3, log=True),
        "cvr_weight": WEIGHT,
    }
    unsearched = {
        "detach_propensity": READING,
        "ctr_weight": UNIT,
    }

    floor: float = Field(default=0.05, ge=CLIP_RANGE[0], le=1)
    detach_propensity: bool = True
    ctr_weight: float = Weight
    cvr_weight: float = Weight


class ClippedIps(Method[ClippedIpsConfig]):
    """Joint CTR model and CVR loss weighted by one over the floored propensity.

    L = mean_D l(p; c) + mean_D [c l(q; v) / max(sg(p), M)], with p = pCTR, q = pCVR, D all
    impressions, sg = stop-gradient.
    """

    name = "clipped_ips"
    summary = "CVR weighted by inverse propensity with a high floor, beside CTR"
    reference = "Ionides, Truncated Importance Sampling, JCGS 2008; Bottou et al., JMLR 2013"
    expect = (
        "bias for variance: impressions with a propensity below `floor` count for less than "
        "their share of the entire space. At a CTR of 4 % most are below .05, and the weights "
        "are nearly constant, which is `naive`: choose `floor` well below the CTR."
    )
    backbone = "mmoe"
    Config = ClippedIpsConfig

    @property
    def clip(self) -> Clip:
        """The floor, and an upper end that stands for none."""
        return self.config.floor, max(self.config.floor, CLIP_RANGE[1])

    @staticmethod
    def terms(config: ClippedIpsConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        pi = propensity(ctr, (config.floor, 1.0), detach=config.detach_propensity)
        loss = cross_entropy(cvr, conversion)
        return {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "cvr": Term(
                weighted_mean(loss, 1 / pi, click, "entire"),
                config.cvr_weight,
                "clicked, weight 1/max(p, floor)",
            ),
        }
