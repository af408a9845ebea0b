"""CTnoCVR: ESMM with a second product, clicking without converting."""

from postclick.losses import Term, Terms, ctcvr_loss, ctr_loss, mean_entire, product_cross_entropy
from postclick.methods.base import Labels, Method, Outputs, Weight
from postclick.methods.esmm import EsmmConfig
from postclick.ranges import WEIGHT


class CtNoCvrConfig(EsmmConfig):
    """`detach_ctr_in_ctcvr`: stop both products, pCTCVR and pCTnoCVR, from training the CTR head.

    `ctnocvr_weight`: 0 is ESMM.
    """

    search = {
        **EsmmConfig.search,
        "ctnocvr_weight": WEIGHT,
    }

    ctnocvr_weight: float = Weight


class CtNoCvr(Method[CtNoCvrConfig]):
    """ESMM plus the task of clicking without converting.

    L = mean_D l(p; c) + mean_D l(p q; c v) + mean_D l(p (1 - q); c (1 - v)), with p = pCTR,
    q = pCVR, D all impressions. It is ChorusCVR's CTunCVR loss with unCVR tied to 1 - pCVR.
    """

    name = "ctnocvr"
    summary = "ESMM plus the product pCTR x (1 - pCVR) for clicks without a conversion"
    reference = (
        "named in ChorusCVR (Cheng et al. 2025); the formula is Eq. 7 there with unCVR = 1 - pCVR"
    )
    expect = (
        "right where pCTR is right, like ESMM; the second product gives the CVR head gradients "
        "on clicks without a conversion, so it learns faster. A cheap ablation of the "
        "unCVR head of `choruscvr`."
    )
    Config = CtNoCvrConfig

    @staticmethod
    def terms(config: CtNoCvrConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        factor = ctr.detach() if config.detach_ctr_in_ctcvr else ctr
        neither = product_cross_entropy(factor, -cvr, click * (1 - conversion))
        return {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "ctcvr": Term(
                ctcvr_loss(ctr, cvr, *labels, detach_ctr=config.detach_ctr_in_ctcvr),
                config.ctcvr_weight,
                "entire",
            ),
            "ctnocvr": Term(mean_entire(neither), config.ctnocvr_weight, "entire"),
        }
