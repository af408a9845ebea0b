"""ESMM: CVR learned through the product pCTR x pCVR over all impressions."""

from postclick.losses import Term, Terms, ctcvr_loss, ctr_loss
from postclick.methods.base import Labels, Method, MethodConfig, Outputs, Weight
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

    @staticmethod
    def terms(config: EsmmConfig, outputs: Outputs, labels: Labels) -> Terms:
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        return {
            "ctr": Term(ctr_loss(ctr, labels.click), config.ctr_weight, "entire"),
            "ctcvr": Term(
                ctcvr_loss(ctr, cvr, *labels, detach_ctr=config.detach_ctr_in_ctcvr),
                config.ctcvr_weight,
                "entire",
            ),
        }
