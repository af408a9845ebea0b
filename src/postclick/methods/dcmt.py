"""DCMT: a factual and a counterfactual CVR head, on clicked and on unclicked impressions."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from postclick.data.prepared import BaseRates
from postclick.losses import (
    Term,
    Terms,
    cross_entropy,
    ctcvr_loss,
    ctr_loss,
    mean_entire,
    propensity,
    total,
    weighted_mean,
)
from postclick.methods.base import Contract, Labels, Method, Outputs, PropensityConfig, Weight
from postclick.ranges import READING, SWITCH, UNIT, WEIGHT


class DcmtConfig(PropensityConfig):
    """Options of DCMT.

    Attributes:
        constraint_weight: weight of |1 - q - k|; all re-implementations have .001.
        self_normalise: let the inverse propensities of clicked and those of unclicked
            impressions each sum to 1; `False` divides both terms by all impressions.
        normalise_over_all: divide the weights by their sum over *all* impressions and the terms
            by n once more, as the EVI authors' code does. Both terms are then O(1/n), and
            what is left is nearly ESMM. `self_normalise` has no say beside it.
        counterfactual_label: what k is fitted to where nobody clicked. `flipped` is 1 - v = 1,
            `recorded` is v = 0, against the method's own constraint (EVI authors' code).
    """

    search = {
        **PropensityConfig.search,
        "ctcvr_weight": WEIGHT,
        "factual_weight": WEIGHT,
        "counterfactual_weight": WEIGHT,
        "constraint_weight": WEIGHT,
        "self_normalise": SWITCH,
        "detach_ctr_in_ctcvr": SWITCH,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
        "normalise_over_all": READING,
        "counterfactual_label": READING,
    }

    ctr_weight: float = Weight
    ctcvr_weight: float = Weight
    factual_weight: float = Weight
    counterfactual_weight: float = Weight
    constraint_weight: float = Field(default=1e-3, ge=0)
    self_normalise: bool = True
    normalise_over_all: bool = False
    counterfactual_label: Literal["flipped", "recorded"] = "flipped"
    detach_ctr_in_ctcvr: bool = False

    def idle(self) -> frozenset[str]:
        return frozenset(("self_normalise",) if self.normalise_over_all else ())


class Dcmt(Method[DcmtConfig]):
    """Direct entire-space causal multi-task learning.

    With k = P(no conversion) from the counterfactual head, pi = clipped, detached p, C clicked
    and U unclicked impressions, w_C = (1 / pi) / sum_C(1 / pi) and
    w_U = (1 / (1 - pi)) / sum_U(1 / (1 - pi)):

        L = mean_D l(p; c) + mean_D l(p q; c v)
          + sum_C[w_C l(q; v)] + sum_U[w_U l(k; 1)] + .001 mean_D|1 - q - k|

    No official code is known. Heads here are separate towers, without the paper's linear parts.
    """

    name = "dcmt"
    summary = "factual CVR on clicks and a counterfactual head that sees unclicked as unconverted"
    reference = "Zhu et al., DCMT, ICDE 2023; weights self-normalised as quoted by DDPO (2024)"
    expect = (
        "the factual head alone is self-normalised IPW, and CTCVR agrees with it. The "
        "counterfactual head is fitted to 1 wherever nobody clicked, so the constraint pulls "
        "pCVR down there; at its weight of .001 that hardly shows, a larger one biases."
    )
    Config = DcmtConfig
    variants = {
        "evi_repo": {
            "clip": (0.001, 0.999),
            "normalise_over_all": True,
            "counterfactual_label": "recorded",
        }
    }

    contract = Contract(weighted_cvr="factual")

    @staticmethod
    def start(config: DcmtConfig, rates: BaseRates) -> dict[str, float]:
        return {"ctr": rates.ctr, "cvr": rates.cvr, "counterfactual": 1 - rates.cvr}

    @staticmethod
    def terms(config: DcmtConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        counterfactual = outputs.logits["counterfactual"]
        pi = propensity(ctr, config.clip, detach=config.detach_propensity)
        recorded = config.counterfactual_label == "recorded"
        opposite = cross_entropy(counterfactual, conversion if recorded else 1 - conversion)
        # 1 - k = sigmoid(-logit), without rounding 1 - k to 0.
        gap = cvr.sigmoid() - (-counterfactual).sigmoid()
        return {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "ctcvr": Term(
                ctcvr_loss(ctr, cvr, *labels, detach_ctr=config.detach_ctr_in_ctcvr),
                config.ctcvr_weight,
                "entire",
            ),
            "factual": Term(
                _inverse(config, cross_entropy(cvr, conversion), 1 / pi, click),
                config.factual_weight,
                "clicked, weight 1/pi",
            ),
            "counterfactual": Term(
                _inverse(config, opposite, 1 / (1 - pi), 1 - click),
                config.counterfactual_weight,
                "unclicked, weight 1/(1-pi)",
            ),
            "constraint": Term(mean_entire(gap.abs()), config.constraint_weight, "entire"),
        }


def _inverse(config: DcmtConfig, loss: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
    """Inverse-propensity mean of `loss` over `mask`, in the config's normalisation."""
    if config.normalise_over_all:
        mass = total(weight)
        # A batch without rows, or with rows that count for nothing, has no weight at all.
        some = torch.where(mass > 0, mass, torch.ones_like(mass))
        return mean_entire(mask * weight * loss) / some
    return weighted_mean(loss, weight, mask, "self" if config.self_normalise else "entire")
