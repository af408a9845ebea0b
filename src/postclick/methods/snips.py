"""SNIPS: a self-normalised inverse-propensity weighted CVR loss."""

from postclick.losses import (
    Term,
    Terms,
    cross_entropy,
    ctr_loss,
    propensity,
    self_normalised,
    size,
)
from postclick.methods.base import Labels, Method, Outputs, PropensityConfig, Weight
from postclick.ranges import READING, UNIT, WEIGHT


class SnipsConfig(PropensityConfig):
    """`extra_batch_mean`: divide the CVR loss by the batch size once more, as the EVI authors do.

    It then is about 1/n of the CTR loss, n the batch size.
    """

    search = {
        **PropensityConfig.search,
        "cvr_weight": WEIGHT,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
        "extra_batch_mean": READING,
    }

    extra_batch_mean: bool = False
    ctr_weight: float = Weight
    cvr_weight: float = Weight


class Snips(Method[SnipsConfig]):
    """Joint CTR model and CVR loss whose inverse-propensity weights sum to 1.

    L = mean_D l(p; c) + sum_C [l(q; v) / pi] / sum_C [1 / pi], pi = clipped, detached pCTR,
    D all impressions, C clicked ones.
    """

    name = "snips"
    summary = "CVR weighted by inverse propensity, weights summing to 1, beside CTR"
    reference = "Schnabel et al., Recommendations as Treatments, ICML 2016"
    expect = (
        "like `multi_ipw`, but its scale does not move with the weights; a small bias within a "
        "batch buys less variance. WARNING: `snips/evi_repo` divides by the batch size again, "
        "which leaves the CVR head next to untrained beside CTR, and lets the CVR loss train pCTR."
    )
    backbone = "mmoe"
    Config = SnipsConfig
    variants = {
        "evi_repo": {
            "extra_batch_mean": True,
            "clip": (1e-7, 1 - 1e-7),
            "detach_propensity": False,
        }
    }

    @staticmethod
    def terms(config: SnipsConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        pi = propensity(ctr, config.clip, detach=config.detach_propensity)
        loss = self_normalised(cross_entropy(cvr, conversion), 1 / pi, click)
        if config.extra_batch_mean:
            loss = loss / size(click.new_ones(click.shape))
        return {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "cvr": Term(loss, config.cvr_weight, "clicked, weight 1/pi"),
        }
