"""ESMM: CVR learned through the product pCTR x pCVR over all impressions."""

from torch import Tensor

from postclick.losses import cross_entropy, mean_entire, product_cross_entropy
from postclick.methods.base import Labels, Method, MethodConfig, Outputs, Terms, Weight
from postclick.ranges import SWITCH, UNIT, WEIGHT


class EsmmConfig(MethodConfig):
    """`detach_ctr_in_ctcvr`: stop the CTCVR loss from training the CTR head."""

    search = {
        "ctcvr_weight": WEIGHT,
        "detach_ctr_in_ctcvr": SWITCH,
    }
    unsearched = {
        "ctr_weight": UNIT,
    }

    ctr_weight: float = Weight
    ctcvr_weight: float = Weight
    detach_ctr_in_ctcvr: bool = False


def ctcvr_loss(outputs: Outputs, labels: Labels, detach_ctr: bool) -> Tensor:
    """mean_D l(p q; c v), the entire-space CTCVR term that most methods share."""
    ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
    both = labels.click * labels.conversion
    return mean_entire(product_cross_entropy(ctr.detach() if detach_ctr else ctr, cvr, both))


class Esmm(Method[EsmmConfig]):
    """Entire Space Multi-Task Model: no direct CVR loss.

    L = mean_D l(p; c) + mean_D l(p q; c v), with p = pCTR, q = pCVR, D all impressions.
    """

    name = "esmm"
    summary = "CVR learned through pCTCVR = pCTR x pCVR over all impressions"
    reference = "Ma et al., Entire Space Multi-Task Model, SIGIR 2018, Eq. 1"
    expect = (
        "right where pCTR is right; its CVR head is trained through a small product, so it "
        "learns slowly and needs about three passes where others need two."
    )
    Config = EsmmConfig
    spaces = {"ctr": "entire", "ctcvr": "entire"}

    @staticmethod
    def terms(config: EsmmConfig, outputs: Outputs, labels: Labels) -> Terms:
        return {
            "ctr": mean_entire(cross_entropy(outputs.logits["ctr"], labels.click)),
            "ctcvr": ctcvr_loss(outputs, labels, config.detach_ctr_in_ctcvr),
        }

    def weights(self) -> dict[str, float]:
        return {"ctr": self.config.ctr_weight, "ctcvr": self.config.ctcvr_weight}
