"""ChorusCVR: CVR and unCVR heads that supervise each other over the entire space."""

from typing import Literal

from torch import Tensor

from postclick.data.prepared import BaseRates
from postclick.losses import (
    Term,
    Terms,
    cross_entropy,
    ctcvr_loss,
    ctr_loss,
    mean_entire,
    product_cross_entropy,
    propensity,
    pseudo_label,
    weighted_mean,
)
from postclick.methods.base import Contract, Labels, Method, Outputs, PropensityConfig, Weight
from postclick.ranges import READING, SWITCH, UNIT, WEIGHT, Choice

CLICKED, UNCLICKED = "clicked, weight 1/pi", "unclicked, weight 1/(1-pi)"


class ChorusCvrConfig(PropensityConfig):
    """Options of ChorusCVR; the defaults read the paper literally, with a CTR loss.

    Attributes:
        ctr_weight: 0 is Eq. 11 to the letter, which lists no CTR loss.
        ipw_norm: `clicked` is the paper's 1/|C| and 1/|U|, under which the click-space terms
            outweigh the rest by about 1/CTR; `entire` divides all by the batch size; `self`
            lets the weights of each subset sum to 1.
        ipw_cvr, ipw_uncvr: weight L_cvr and L_uncvr by inverse propensity (Eqs. 4 and 9).
        tie_uncvr: unCVR = 1 - pCVR instead of a head of its own.
    """

    search = {
        **PropensityConfig.search,
        "ctcvr_weight": WEIGHT,
        "cvr_weight": WEIGHT,
        "ctuncvr_weight": WEIGHT,
        "uncvr_weight": WEIGHT,
        "align_weight": WEIGHT,
        "ipw_norm": Choice(("clicked", "entire", "self")),
        "detach_ctr_in_ctcvr": SWITCH,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
        "ipw_cvr": READING,
        "ipw_uncvr": READING,
        "tie_uncvr": READING,
    }

    ctr_weight: float = Weight
    ctcvr_weight: float = Weight
    cvr_weight: float = Weight
    ctuncvr_weight: float = Weight
    uncvr_weight: float = Weight
    align_weight: float = Weight
    ipw_norm: Literal["clicked", "entire", "self"] = "clicked"
    ipw_cvr: bool = True
    ipw_uncvr: bool = True
    tie_uncvr: bool = False
    detach_ctr_in_ctcvr: bool = False


class ChorusCvr(Method[ChorusCvrConfig]):
    """Negative sample discrimination (unCVR, CTunCVR) and soft alignment.

    With w = P(no conversion | click) from a head of its own, s = p w, sg = stop-gradient,
    pi = clipped, detached p, C clicked and U unclicked impressions:

        L = mean_D l(p; c) + mean_D l(p q; c v) + mean_C[l(q; v) / pi]
          + mean_D l(s; c (1 - v)) + mean_C[l(w; 1 - v) / pi]
          + mean_C[(l(q; 1 - sg(w)) + l(w; 1 - sg(q))) / pi]
          + mean_U[(l(q; 1 - sg(w)) + l(w; 1 - sg(q))) / (1 - pi)]

    Consistent where the propensity is right: q = CVR, w = 1 - CVR zeroes every gradient.
    """

    name = "choruscvr"
    summary = "CVR and unCVR heads aligned with each other over the entire space"
    reference = "Cheng et al., ChorusCVR, 2025, Eqs. 2-11"
    expect = (
        "consistent with a right propensity. With the paper's normalisation (`clicked`) the "
        "click-space terms outweigh the CTR loss by about 1/CTR, which costs CTR-AUC and leaves "
        "CTunCVR too little weight to matter; `ipw_norm=entire` avoids both."
    )
    Config = ChorusCvrConfig
    variants = {"no_ndm": {"ctuncvr_weight": 0.0}, "no_sam": {"align_weight": 0.0}}
    contract = Contract(
        drops={
            "no_ndm": ("ctuncvr",),
            "no_sam": (
                "align_cvr_clicked",
                "align_cvr_unclicked",
                "align_uncvr_clicked",
                "align_uncvr_unclicked",
            ),
        }
    )

    @staticmethod
    def start(config: ChorusCvrConfig, rates: BaseRates) -> dict[str, float]:
        heads = {"ctr": rates.ctr, "cvr": rates.cvr}
        return heads if config.tie_uncvr else {**heads, "uncvr": 1 - rates.cvr}

    @staticmethod
    def soft_label(config: ChorusCvrConfig, outputs: Outputs) -> Tensor | None:
        if config.align_weight == 0:
            return None
        logits = outputs.logits
        return logits["cvr"] if config.tie_uncvr else -logits["uncvr"]

    @staticmethod
    def terms(config: ChorusCvrConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        uncvr = -cvr if config.tie_uncvr else outputs.logits["uncvr"]
        product_ctr = ctr.detach() if config.detach_ctr_in_ctcvr else ctr
        pi = propensity(ctr, config.clip, detach=config.detach_propensity)
        norm = "subset" if config.ipw_norm == "clicked" else config.ipw_norm

        def clicked(loss: Tensor, weighted: bool = True) -> Tensor:
            return weighted_mean(loss, 1 / pi if weighted else pi.new_ones(()), click, norm)

        def unclicked(loss: Tensor) -> Tensor:
            return weighted_mean(loss, 1 / (1 - pi), 1 - click, norm)

        def align(value: Tensor, space: str) -> Term:
            return Term(value, config.align_weight, space)

        align_cvr = cross_entropy(cvr, 1 - pseudo_label(uncvr))
        align_uncvr = cross_entropy(uncvr, 1 - pseudo_label(cvr))
        return {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "ctcvr": Term(
                ctcvr_loss(ctr, cvr, *labels, detach_ctr=config.detach_ctr_in_ctcvr),
                config.ctcvr_weight,
                "entire",
            ),
            "cvr": Term(
                clicked(cross_entropy(cvr, conversion), config.ipw_cvr), config.cvr_weight, CLICKED
            ),
            "ctuncvr": Term(
                mean_entire(product_cross_entropy(product_ctr, uncvr, click * (1 - conversion))),
                config.ctuncvr_weight,
                "entire",
            ),
            "uncvr": Term(
                clicked(cross_entropy(uncvr, 1 - conversion), config.ipw_uncvr),
                config.uncvr_weight,
                CLICKED,
            ),
            "align_cvr_clicked": align(clicked(align_cvr), CLICKED),
            "align_cvr_unclicked": align(unclicked(align_cvr), UNCLICKED),
            "align_uncvr_clicked": align(clicked(align_uncvr), CLICKED),
            "align_uncvr_unclicked": align(unclicked(align_uncvr), UNCLICKED),
        }
