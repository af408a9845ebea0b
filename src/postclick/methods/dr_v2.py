"""IPS-V2 and DR-V2: propensities that are trained to balance clicked and unclicked rows."""

from typing import Any, Literal, TypeVar

import torch
from pydantic import Field
from torch import Tensor

from postclick.data.prepared import BaseRates
from postclick.losses import (
    DoublyRobust,
    LogPropensity,
    Term,
    Terms,
    cross_entropy,
    ctcvr_loss,
    error_imputation,
    error_start,
    imputed_error,
    mean_entire,
    pseudo_label,
)
from postclick.methods.base import (
    CLIP_RANGE,
    Contract,
    Labels,
    Method,
    Outputs,
    PropensityConfig,
    Weight,
)
from postclick.ranges import READING, SWITCH, UNIT, WEIGHT, Choice

RELEASED: dict[str, Any] = {"attach": "all", "clip": CLIP_RANGE}


class IpsV2Config(PropensityConfig):
    """Options of IPS-V2.

    Attributes:
        balance_weight: weight of the balancing penalty.
        bmse: the penalty is the square of the imbalance or its absolute value.
        phi: what is balanced: pCVR (`prediction`), the embedded features (detached, since
            features that shrink are no balance), or `both`; a mean over all columns.
        error: cross-entropy, or squared error as in the official code, for the CTR, CTCVR and
            CVR losses alike.
        attach: what trains the propensity besides the CTR and CTCVR losses: the `balance`
            penalty only, or `all`, as released. `all` stops no gradient anywhere.
        detach_propensity: `False` lets the weighted losses train the propensity, and still stops
            gradients through labels.
    """

    search = {
        **PropensityConfig.search,
        "ctcvr_weight": WEIGHT,
        "cvr_weight": WEIGHT,
        "balance_weight": WEIGHT,
        "bmse": Choice(("square", "abs")),
        "phi": Choice(("prediction", "features", "both")),
        "detach_ctr_in_ctcvr": SWITCH,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
        "error": READING,
        "attach": READING,
    }

    ctr_weight: float = Weight
    ctcvr_weight: float = Weight
    cvr_weight: float = Weight
    balance_weight: float = Field(default=0.1, ge=0)
    bmse: Literal["square", "abs"] = "square"
    phi: Literal["prediction", "features", "both"] = "prediction"
    error: Literal["ce", "mse"] = "ce"
    attach: Literal["balance", "all"] = "balance"
    detach_ctr_in_ctcvr: bool = False

    def loss(self, logit: Tensor, label: Tensor) -> Tensor:
        """The error of a prediction, [n]."""
        if self.error == "ce":
            return cross_entropy(logit, label)
        return (logit.sigmoid() - label).square()


class DrV2Config(IpsV2Config):
    """Options of IPS-V2, `imputation_weight` and `form`.

    Attributes:
        form: `evi_repo` reads the imputation head as the *error* m, puts |m - e| in place of
            e - m and detaches nothing.
    """

    search = {
        **IpsV2Config.search,
        "imputation_weight": WEIGHT,
    }
    unsearched = {
        **IpsV2Config.unsearched,
        "form": READING,
    }

    imputation_weight: float = Weight
    form: Literal["paper", "evi_repo"] = "paper"


def common_terms(config: IpsV2Config, outputs: Outputs, labels: Labels) -> Terms:
    """The CTR and CTCVR terms."""
    ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
    ctcvr = ctcvr_loss(ctr, cvr, *labels, detach_ctr=config.detach_ctr_in_ctcvr)
    if config.error == "mse":
        click = pseudo_label(ctr, detach=config.detach_ctr_in_ctcvr)
        both = labels.click * labels.conversion
        ctcvr = mean_entire((click * cvr.sigmoid() - both).square())
    clicks = mean_entire(config.loss(ctr, labels.click))
    return {
        "ctr": Term(clicks, config.ctr_weight, "entire"),
        "ctcvr": Term(ctcvr, config.ctcvr_weight, "entire"),
    }


def click_weight(config: IpsV2Config, outputs: Outputs, labels: Labels) -> Tensor:
    """c / pi, detached unless an option says otherwise."""
    detach = config.attach == "balance" and config.detach_propensity
    pi = LogPropensity.of(outputs.logits["ctr"], config.clip, detach=detach)
    return labels.click * pi.inverse()


def balance_term(config: IpsV2Config, outputs: Outputs, labels: Labels) -> Term:
    """(mean_D[w phi])^2 or |mean_D[w phi]| with w = c / p - (1 - c) / (1 - p), attached."""
    pi = LogPropensity.of(outputs.logits["ctr"], config.clip, detach=False)
    weight = labels.click * pi.inverse() - (1 - labels.click) * pi.inverse_rest()
    phi: list[Tensor] = []
    if config.phi in ("prediction", "both"):
        phi.append(outputs.logits["cvr"].sigmoid())
    if config.phi in ("features", "both"):
        phi.extend(outputs.extra["features"].detach().unbind(dim=1))
    imbalance = torch.stack([mean_entire(weight * column) for column in phi])
    penalty = (imbalance.square() if config.bmse == "square" else imbalance.abs()).mean()
    space = "clicked with weight 1/p against unclicked with weight 1/(1-p)"
    return Term(penalty, config.balance_weight, space)


def label_imputation(
    config: DrV2Config, outputs: Outputs, labels: Labels, weight: Tensor
) -> DoublyRobust:
    """mean_D[m + w (e - m)] with m of a fixed label, mean_D[w (e - m)^2] with a fixed q."""
    cvr, imputation = outputs.logits["cvr"], outputs.logits["imputation"]
    attached = config.attach == "all"
    error = config.loss(cvr, labels.conversion)
    imputed = config.loss(cvr, pseudo_label(imputation, detach=not attached))
    fixed = cvr if attached else cvr.detach()
    label = pseudo_label(imputation, detach=False)
    gap = config.loss(fixed, labels.conversion) - config.loss(fixed, label)
    return DoublyRobust(
        mean_entire(imputed + weight * (error - imputed)), mean_entire(weight * gap.square())
    )


B = TypeVar("B", bound=IpsV2Config)


class Balanced(Method[B]):
    """What both methods share: the features as a further output."""

    backbone = "mmoe"
    contract = Contract(trains_propensity=("balance",))

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        outputs = super().heads(x, serving=serving)
        if serving or self.config.phi == "prediction":
            return outputs
        return Outputs(outputs.logits, {"features": x})

    @classmethod
    def extras(cls, config: B) -> tuple[str, ...]:
        """`features`: what is balanced, [n, columns]."""
        return () if config.phi == "prediction" else ("features",)


class IpsV2(Balanced[IpsV2Config]):
    """Inverse propensity weighting with a balanced propensity.

    pi = clipped p, detached in the CVR term only; w = c / p - (1 - c) / (1 - p), phi = q:

        L = mean_D l(p; c) + mean_D l(p q; c v) + mean_D[(c / pi) l(q; v)]
          + w_b (mean_D[w phi])^2

    The penalty trains p (and q) so that clicked rows, weighted, look like unclicked ones.
    """

    name = "ips_v2"
    summary = "inverse-propensity weighted CVR with a propensity trained for balance"
    reference = "Li et al., Propensity Matters, ICML 2023"
    expect = (
        "close to ESCM2-IPW, with a propensity whose weighted clicks match the rest on average. "
        "WARNING: `released` lets the weighted loss train the propensity, which is driven up to "
        "make the weights small: do not serve its pCTR."
    )
    Config = IpsV2Config
    variants = {"released": RELEASED}

    @staticmethod
    def terms(config: IpsV2Config, outputs: Outputs, labels: Labels) -> Terms:
        error = config.loss(outputs.logits["cvr"], labels.conversion)
        return {
            **common_terms(config, outputs, labels),
            "cvr": Term(
                mean_entire(click_weight(config, outputs, labels) * error),
                config.cvr_weight,
                "clicked, weight 1/pi",
            ),
            "balance": balance_term(config, outputs, labels),
        }


class DrV2(Balanced[DrV2Config]):
    """Doubly robust learning with a balanced propensity.

    a is the imputed conversion label, e = l(q; v), m = l(q; sg(a)), pi = clipped p, detached
    but in the penalty; w = c / p - (1 - c) / (1 - p), phi = q:

        L = mean_D l(p; c) + mean_D l(p q; c v) + mean_D[m + (c / pi)(e - m)]
          + mean_D[(c / pi)(e - m)^2] + w_b (mean_D[w phi])^2

    where the squared term trains a only. Nothing is detached with attach=all.
    """

    name = "dr_v2"
    summary = "doubly robust CVR with a propensity trained for balance"
    reference = "Li et al., Propensity Matters, ICML 2023"
    expect = (
        "right where either the propensity or the imputed label is. WARNING: `released` lets all "
        "losses train the propensity, which is driven up to make the weights small (pCTR 2 to 3 "
        "times too high: do not serve it) and biases pCVR; `evi_repo` takes |m - e| for e - m "
        "and is biased too."
    )
    Config = DrV2Config
    variants = {
        "released": RELEASED,
        "evi_repo": {
            "form": "evi_repo",
            "attach": "all",
            "clip": (1e-7, 1 - 1e-7),
            "bmse": "abs",
            "balance_weight": 0.5,
            "ctcvr_weight": 0.0,
        },
    }

    @staticmethod
    def start(config: DrV2Config, rates: BaseRates) -> dict[str, float]:
        error = config.form == "evi_repo"
        start = error_start(rates.cvr, "sigmoid") if error else rates.cvr
        return {"ctr": rates.ctr, "cvr": rates.cvr, "imputation": start}

    @staticmethod
    def terms(config: DrV2Config, outputs: Outputs, labels: Labels) -> Terms:
        cvr, imputation = outputs.logits["cvr"], outputs.logits["imputation"]
        weight = click_weight(config, outputs, labels)
        error = config.loss(cvr, labels.conversion)
        if config.form == "evi_repo":
            imputed = imputed_error(imputation, "sigmoid")
            doubly = error_imputation(error, imputed, weight, "released", absolute=True)
        else:
            doubly = label_imputation(config, outputs, labels, weight)
        corrected = "entire with the imputed label, corrected on clicked with weight 1/pi"
        weight_of = config.imputation_weight
        return {
            **common_terms(config, outputs, labels),
            "cvr": Term(doubly.cvr, config.cvr_weight, corrected),
            "imputation": Term(doubly.imputation, weight_of, "clicked, weight 1/pi"),
            "balance": balance_term(config, outputs, labels),
        }
