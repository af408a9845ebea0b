"""The losses of the methods with an imputed conversion label, and the options they share."""

from collections.abc import Callable
from typing import Literal

from pydantic import Field
from torch import Tensor

from postclick.losses import (
    LogPropensity,
    Term,
    Terms,
    cross_entropy,
    ctr_loss,
    mean_entire,
    pseudo_label,
    weighted_mean,
)
from postclick.methods.base import Labels, Outputs, PropensityConfig, Weight
from postclick.ranges import ALONE, READING, Choice

# Terms that need no other model than those that predict clicks.
CLICK_TERMS = ("ctr", "propensity")
Weigh = Callable[[LogPropensity], Tensor]
# The space of the prediction term.
CORRECTED = "entire with the imputed label, corrected on clicked with weight 1/pi"


class ImputationConfig(PropensityConfig):
    """Options of the methods with an imputed label.

    Attributes:
        ctr_weight: 0 leaves the propensity at the base rate.
        imputation_loss: `squared` is (e - m)^2 = (a - v)^2 logit(q)^2, the theory; `ce` is
            l(a; v), which the official code has in its place.
        imputation_norm: `entire` divides by all impressions, `clicked` by the clicked ones.
        imputation_embeddings: the imputation model reads the embeddings of the prediction model
            and trains them too (`shared`) or has its `own`.
        turns: `alternate` takes an imputation and a prediction step on every batch;
            `epoch_copy` is the official code's: in every epoch the prediction model is copied
            into the imputation model, which then takes a pass, followed by a prediction pass.
        propensity_share: the propensity's epochs, which come first, as a share of `epochs`; it is
            then frozen.
        detach_propensity: `False` lets the prediction loss go on training the propensity after
            that; the imputation loss never does.
    """

    search = {
        **PropensityConfig.search,
        "imputation_loss": Choice(("squared", "ce")),
        "imputation_embeddings": Choice(("shared", "own")),
        "propensity_share": Choice((0.5, 1.0)),
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": ALONE,
        "cvr_weight": ALONE,
        "imputation_weight": ALONE,
        "imputation_norm": ALONE,
        "turns": READING,
    }

    ctr_weight: float = Weight
    cvr_weight: float = Weight
    imputation_weight: float = Weight
    imputation_loss: Literal["squared", "ce"] = "squared"
    imputation_norm: Literal["entire", "clicked"] = "entire"
    imputation_embeddings: Literal["shared", "own"] = "shared"
    turns: Literal["alternate", "epoch_copy"] = "alternate"
    propensity_share: float = Field(default=0.5, gt=0)


def prediction_loss(outputs: Outputs, labels: Labels, pi: LogPropensity) -> Tensor:
    """mean_D[m + (c / pi)(e - m)] with e = l(q; v) and m = l(q; sg(a))."""
    cvr = outputs.logits["cvr"]
    imputed = cross_entropy(cvr, pseudo_label(outputs.logits["imputation"]))
    gap = cross_entropy(cvr, labels.conversion) - imputed
    return mean_entire(imputed + labels.click * pi.inverse() * gap)


def imputation_gap(outputs: Outputs, labels: Labels) -> Tensor:
    """e - m = (a - v) logit(q) with q detached; means something on clicked rows only."""
    label = pseudo_label(outputs.logits["imputation"], detach=False)
    return (label - labels.conversion) * outputs.logits["cvr"].detach()


def imputation_loss(
    config: ImputationConfig, outputs: Outputs, labels: Labels, weight: Tensor
) -> Tensor:
    """Weighted (e - m)^2, or cross-entropy of a, on clicked impressions; trains a only."""
    if config.imputation_loss == "squared":
        loss = imputation_gap(outputs, labels).square()
    else:
        loss = cross_entropy(outputs.logits["imputation"], labels.conversion)
    norm = "subset" if config.imputation_norm == "clicked" else "entire"
    return weighted_mean(loss, weight.detach(), labels.click, norm)


def imputation_terms(
    config: ImputationConfig, outputs: Outputs, labels: Labels, weigh: Weigh, weight: str
) -> Terms:
    """Terms of a method whose imputation loss has the weight `weigh(pi)` on clicked rows.

    With nothing but the CTR head, as in the propensity phase, there is the CTR term only.
    `weight` is that weight in words.
    """
    ctr = outputs.logits["ctr"]
    terms = {"ctr": Term(ctr_loss(ctr, labels.click), config.ctr_weight, "entire")}
    if "cvr" in outputs.logits:
        pi = LogPropensity.of(ctr, config.clip, detach=config.detach_propensity)
        predicted = prediction_loss(outputs, labels, pi)
        terms["cvr"] = Term(predicted, config.cvr_weight, CORRECTED)
        imputed = imputation_loss(config, outputs, labels, weigh(pi))
        space = f"clicked, weight {weight}"
        terms["imputation"] = Term(imputed, config.imputation_weight, space)
    return terms
