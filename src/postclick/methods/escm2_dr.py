"""ESCM2-DR: ESMM with a doubly robust CVR loss."""

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from postclick.data.prepared import BaseRates
from postclick.losses import (
    DoublyRobust,
    Term,
    Terms,
    cross_entropy,
    ctcvr_loss,
    ctr_loss,
    error_imputation,
    error_start,
    imputed_error,
    mean_entire,
    propensity,
    pseudo_label,
)
from postclick.losses.doubly_robust import Activation, DetachMode
from postclick.methods.base import Labels, Method, Outputs, PropensityConfig, Weight
from postclick.methods.imputation_losses import imputation_gap
from postclick.ranges import READING, SWITCH, UNIT, WEIGHT, Choice


class Escm2DrConfig(PropensityConfig):
    """Options of ESCM2-DR.

    Attributes:
        imputation: `error`, the head predicts the error l(q; v) itself, as in the official code;
            `label`, it predicts a conversion label a, the imputed error is l(q; sg(a)), and its
            gradient trains q on all impressions.
        detach_mode: `sound` detaches the imputed error in the CVR loss and the true error in the
            imputation loss; `released` detaches neither, which biases pCVR upwards.
        imputation_activation: `sigmoid` cannot impute an error above 1, which a conversion at a
            pCVR below .37 has; `softplus` can.
        max_weight: cap on c / pi; 15 in the official code, where it binds on most rows at a CTR
            of 4 %.
        absolute: |e - m| in the CVR loss. It loses the sign of the correction, and with it
            double robustness.
    """

    search = {
        **PropensityConfig.search,
        "cvr_weight": WEIGHT,
        "imputation_weight": WEIGHT,
        "ctcvr_weight": WEIGHT,
        "imputation_activation": Choice(("sigmoid", "softplus")),
        "max_weight": Choice((None, 15.0, 50.0)),
        "detach_ctr_in_ctcvr": SWITCH,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
        "imputation": READING,
        "detach_mode": READING,
        "absolute": READING,
    }

    ctr_weight: float = Weight
    cvr_weight: float = Field(default=0.1, ge=0)
    imputation_weight: float = Field(default=0.1, ge=0)
    ctcvr_weight: float = Weight
    imputation: Literal["error", "label"] = "error"
    detach_mode: DetachMode = "sound"
    imputation_activation: Activation = "sigmoid"
    max_weight: float | None = Field(default=None, gt=0)
    absolute: bool = False
    detach_ctr_in_ctcvr: bool = False

    @model_validator(mode="after")
    def _label_has_one_form(self) -> Self:
        for name in ("detach_mode", "imputation_activation", "absolute"):
            if self.imputation == "label" and getattr(self, name) != self._default(name):
                raise ValueError(
                    f"imputation=label takes no {name}: leave it at {self._default(name)}"
                )
        return self

    @classmethod
    def _default(cls, name: str) -> object:
        return cls.model_fields[name].default

    def idle(self) -> frozenset[str]:
        names = ("imputation_activation",) if self.imputation == "label" else ()
        return frozenset(names)


def label_imputation(outputs: Outputs, labels: Labels, weight: Tensor) -> DoublyRobust:
    """As `error_imputation`, with m = l(q; a) for an imputed label a.

    The first loss trains q through e and through m, at a fixed a; the second a, at a fixed q.
    """
    cvr = outputs.logits["cvr"]
    imputed = cross_entropy(cvr, pseudo_label(outputs.logits["imputation"]))
    error = cross_entropy(cvr, labels.conversion)
    return DoublyRobust(
        mean_entire(imputed + weight * (error - imputed)),
        mean_entire(weight * imputation_gap(outputs, labels).square()),
    )


class Escm2Dr(Method[Escm2DrConfig]):
    """ESCM2 with a doubly robust CVR loss.

    With e = l(q; v), imputed error m, sg = stop-gradient, pi = clipped, detached pCTR:

        L = L_ctr + w_cvr mean_D [sg(m) + c (e - sg(m)) / pi]
          + w_imp mean_D [c (sg(e) - m)^2 / pi] + w_ctcvr L_ctcvr

    sg(m) has no gradient, so p and q learn exactly what ESCM2-IPW teaches them; the imputation
    is an auxiliary task on what they share. `escm2_dr/label` lets it teach q.
    """

    name = "escm2_dr"
    summary = "ESMM plus a doubly robust CVR loss with an imputed error"
    reference = "Wang et al., ESCM2, SIGIR 2022"
    expect = (
        "consistent with a right propensity; its gradient on pCTR and pCVR is that of "
        "`escm2_ipw`. WARNING: `escm2_dr/released` and `escm2_dr/evi_repo` are biased. With "
        "right propensities their CVR loss stands still at .19 for a CVR of .05, .27 for .10, "
        ".37 for .20; `evi_repo` also loses the sign of the correction and trains pCTR by it."
    )
    backbone = "mmoe"
    Config = Escm2DrConfig
    variants = {
        "label": {"imputation": "label"},
        "released": {"detach_mode": "released", "max_weight": 15.0, "clip": (1e-6, 1 - 1e-7)},
        "evi_repo": {
            "clip": (1e-7, 1 - 1e-7),
            "detach_propensity": False,
            "detach_mode": "released",
            "absolute": True,
            "cvr_weight": 1.0,
            "imputation_weight": 1.0,
        },
    }

    @staticmethod
    def start(config: Escm2DrConfig, rates: BaseRates) -> dict[str, float]:
        heads = {"ctr": rates.ctr, "cvr": rates.cvr}
        if config.imputation == "label":
            return {**heads, "imputation": rates.cvr}
        return {**heads, "imputation": error_start(rates.cvr, config.imputation_activation)}

    @staticmethod
    def terms(config: Escm2DrConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        weight = click / propensity(ctr, config.clip, detach=config.detach_propensity)
        if config.max_weight is not None:
            weight = weight.clamp(max=config.max_weight)
        if config.imputation == "label":
            found = label_imputation(outputs, labels, weight)
        else:
            found = error_imputation(
                cross_entropy(cvr, conversion),
                imputed_error(outputs.logits["imputation"], config.imputation_activation),
                weight,
                config.detach_mode,
                absolute=config.absolute,
            )
        corrected = "entire (imputed error), clicked with weight 1/pi (correction)"
        return {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "cvr": Term(found.cvr, config.cvr_weight, corrected),
            "imputation": Term(found.imputation, config.imputation_weight, "clicked, weight 1/pi"),
            "ctcvr": Term(
                ctcvr_loss(ctr, cvr, *labels, detach_ctr=config.detach_ctr_in_ctcvr),
                config.ctcvr_weight,
                "entire",
            ),
        }
