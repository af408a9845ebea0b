"""Multi-IPW and Multi-DR: CTR beside an unbiased CVR loss, without a CTCVR loss."""

from typing import Literal

from postclick.data.prepared import BaseRates
from postclick.losses import (
    Term,
    Terms,
    clicked_ipw_loss,
    cross_entropy,
    ctr_loss,
    error_imputation,
    error_start,
    imputed_error,
    propensity,
)
from postclick.losses.doubly_robust import Activation, DetachMode
from postclick.methods.base import Labels, Method, Outputs, PropensityConfig, Weight
from postclick.ranges import READING, UNIT, WEIGHT, Choice

REFERENCE = "Zhang et al., Large-scale Causal Approaches to Debiasing CVR, WWW 2020"


class MultiIpwConfig(PropensityConfig):
    """`ipw_norm`: divide the weighted CVR loss by all impressions (`entire`), by the clicked ones
    (`clicked`) or by the sum of the weights (`self`).
    """

    search = {
        **PropensityConfig.search,
        "ipw_norm": Choice(("entire", "clicked", "self")),
        "cvr_weight": WEIGHT,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
    }

    ipw_norm: Literal["entire", "clicked", "self"] = "entire"
    ctr_weight: float = Weight
    cvr_weight: float = Weight


class MultiIpw(Method[MultiIpwConfig]):
    """Joint CTR model and inverse-propensity weighted CVR loss.

    L = mean_D l(p; c) + mean_D [c l(q; v) / pi], pi = clipped, detached pCTR, D all impressions.
    It is ESCM2-IPW without the CTCVR loss.
    """

    name = "multi_ipw"
    summary = "CVR weighted by inverse propensity beside CTR; no CTCVR loss"
    reference = REFERENCE
    expect = (
        "consistent with a right propensity; small propensities make it noisy, so look at clip "
        "share, effective sample size and the held-out mean of c / pi."
    )
    backbone = "mmoe"
    Config = MultiIpwConfig

    @staticmethod
    def terms(config: MultiIpwConfig, outputs: Outputs, labels: Labels) -> Terms:
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        pi = propensity(ctr, config.clip, detach=config.detach_propensity)
        loss = cross_entropy(cvr, labels.conversion)
        return {
            "ctr": Term(ctr_loss(ctr, labels.click), config.ctr_weight, "entire"),
            "cvr": Term(
                clicked_ipw_loss(loss, pi, labels.click, config.ipw_norm),
                config.cvr_weight,
                "clicked, weight 1/pi",
            ),
        }


class MultiDrConfig(PropensityConfig):
    """Options of Multi-DR.

    Attributes:
        imputation_weight: 0 leaves the imputation head to the CVR loss, which is no use: m stays
            where it started or, with `detach_mode=released`, goes to 1 on clicked impressions
            and to 0 on the others.
        detach_mode: `sound` or `released`, see `escm2_dr`.
        imputation_activation: `sigmoid` cannot impute an error above 1, `softplus` can.
    """

    search = {
        **PropensityConfig.search,
        "cvr_weight": WEIGHT,
        "imputation_weight": WEIGHT,
        "imputation_activation": Choice(("sigmoid", "softplus")),
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
        "detach_mode": READING,
    }

    ctr_weight: float = Weight
    cvr_weight: float = Weight
    imputation_weight: float = Weight
    detach_mode: DetachMode = "sound"
    imputation_activation: Activation = "sigmoid"


class MultiDr(Method[MultiDrConfig]):
    """Joint CTR model and doubly robust CVR loss with an imputed error m.

    With e = l(q; v), sg = stop-gradient, pi = clipped, detached pCTR, D all impressions:

        L = mean_D l(p; c) + mean_D [sg(m) + c (e - sg(m)) / pi] + mean_D [c (sg(e) - m)^2 / pi]

    sg(m) has no gradient, so p and q learn exactly what Multi-IPW teaches them; the imputation
    is an auxiliary task on what they share.
    """

    name = "multi_dr"
    summary = "CVR by a doubly robust loss with an imputed error, beside CTR; no CTCVR loss"
    reference = REFERENCE
    expect = (
        "consistent with a right propensity; its gradient on pCTR and pCVR is that of "
        "`multi_ipw`. WARNING: `detach_mode=released` is biased, pCVR ends far above the truth "
        "(.19 for .05)."
    )
    backbone = "mmoe"
    Config = MultiDrConfig

    @staticmethod
    def start(config: MultiDrConfig, rates: BaseRates) -> dict[str, float]:
        imputation = error_start(rates.cvr, config.imputation_activation)
        return {"ctr": rates.ctr, "cvr": rates.cvr, "imputation": imputation}

    @staticmethod
    def terms(config: MultiDrConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        pi = propensity(ctr, config.clip, detach=config.detach_propensity)
        imputed = imputed_error(outputs.logits["imputation"], config.imputation_activation)
        found = error_imputation(
            cross_entropy(cvr, conversion), imputed, click / pi, config.detach_mode
        )
        corrected = "entire (imputed error), clicked with weight 1/pi (correction)"
        return {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "cvr": Term(found.cvr, config.cvr_weight, corrected),
            "imputation": Term(found.imputation, config.imputation_weight, "clicked, weight 1/pi"),
        }
