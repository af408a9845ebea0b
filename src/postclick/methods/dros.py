"""DRos and DRps: a doubly robust CVR loss with shrunk inverse propensities."""

from typing import Literal

from pydantic import Field
from torch import Tensor

from postclick.data.prepared import BaseRates
from postclick.losses import (
    LogPropensity,
    Term,
    Terms,
    cross_entropy,
    ctr_loss,
    mean_entire,
    pseudo_label,
    self_normalised,
)
from postclick.methods.base import Labels, Method, Outputs, PropensityConfig, Weight
from postclick.ranges import UNIT, WEIGHT, Between, Choice

# The power of 1/pi that weighs a click in the imputation loss.
POWERS = {"none": 0, "inverse": 1, "squared": 2}


class DrosConfig(PropensityConfig):
    """Options of DRos.

    Attributes:
        shrinkage: lambda, 0 or more; none is no shrinkage (lambda = infinity, doubly robust), 0
            leaves the imputed label alone (the direct method). A weight of sqrt(lambda) is
            halved, and `optimistic` lets none be above half of that. `tune` chooses it on
            validation clicks.
        form: `optimistic` shrinks w to lambda w / (w^2 + lambda), `pessimistic` to
            min(w, lambda).
        imputation_weighting: clicks weigh 1, 1/pi or 1/pi^2 where the imputed label is learnt;
            the paper tries all three.
    """

    search = {
        **PropensityConfig.search,
        "shrinkage": Between(1.0, 1e5, log=True),
        "form": Choice(("optimistic", "pessimistic")),
        "imputation_weighting": Choice(("none", "inverse", "squared")),
        "cvr_weight": WEIGHT,
        "imputation_weight": WEIGHT,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
    }

    shrinkage: float | None = Field(default=1000.0, ge=0)
    form: Literal["optimistic", "pessimistic"] = "optimistic"
    imputation_weighting: Literal["none", "inverse", "squared"] = "none"
    ctr_weight: float = Weight
    cvr_weight: float = Weight
    imputation_weight: float = Weight


def shrunk(pi: LogPropensity, shrinkage: float | None, form: str) -> Tensor:
    """w = 1/pi shrunk: lambda w / (w^2 + lambda) or min(w, lambda); w itself without a lambda.

    Source: Su et al. 2020, section 4: `optimistic` and `pessimistic` shrinkage.

    >>> import torch
    >>> pi = LogPropensity.of(torch.zeros(1), (0.01, 0.99))
    >>> shrunk(pi, 4.0, "optimistic"), shrunk(pi, 0.5, "pessimistic"), shrunk(pi, None, "")
    (tensor([1.]), tensor([0.5000]), tensor([2.]))
    """
    weight = pi.inverse()
    if shrinkage is None:
        return weight
    if form == "pessimistic":
        return weight.clamp(max=shrinkage)
    # Divided by w, so that no square overflows.
    return shrinkage / (weight + shrinkage * pi.click.exp())


class Dros(Method[DrosConfig]):
    """Doubly robust learning with shrunk weights.

    a is the imputed conversion label, e = l(q; v), m = l(q; sg(a)), pi = clipped, detached
    pCTR, w = 1/pi and w' = lambda w / (w^2 + lambda):

        L = mean_D l(p; c) + mean_D[m + c w' (e - m)] + mean_C l(a; v)

    lambda = 0 is the direct method, which teaches q the imputed label alone; lambda = infinity is
    doubly robust learning.
    """

    name = "dros"
    summary = "doubly robust CVR whose weights are shrunk to save variance"
    reference = "Su et al., Doubly robust off-policy evaluation with shrinkage, ICML 2020"
    expect = (
        "consistent at every lambda where the imputed label is right, since then the correction "
        "has mean 0 in whatever weights; with a wrong one it is right at lambda = infinity only, "
        "where the propensity is. The paper estimates the value of a policy and chooses lambda by "
        "bounds of its error; here `tune` chooses it on validation clicks, which say nothing of "
        "the impressions that the correction is for."
    )
    backbone = "mmoe"
    Config = DrosConfig
    variants = {
        "direct": {"shrinkage": 0.0},
        "pessimistic": {"form": "pessimistic", "shrinkage": 20.0},
    }

    @staticmethod
    def start(config: DrosConfig, rates: BaseRates) -> dict[str, float]:
        return {"ctr": rates.ctr, "cvr": rates.cvr, "imputation": rates.cvr}

    @staticmethod
    def terms(config: DrosConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        pi = LogPropensity.of(ctr, config.clip, detach=config.detach_propensity)
        weight = click * shrunk(pi, config.shrinkage, config.form)
        imputed = cross_entropy(cvr, pseudo_label(outputs.logits["imputation"]))
        corrected = imputed + weight * (cross_entropy(cvr, conversion) - imputed)
        return {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "cvr": Term(
                mean_entire(corrected),
                config.cvr_weight,
                "entire with the imputed label, corrected on clicked with shrunk weight",
            ),
            "imputation": imputation_term(config, outputs, labels),
        }


def imputation_term(config: DrosConfig, outputs: Outputs, labels: Labels) -> Term:
    """Weighted l(a; v) on clicks, weights summing to 1; they never train the propensity."""
    pi = LogPropensity.of(outputs.logits["ctr"], config.clip)
    weight = pi.weight(0, POWERS[config.imputation_weighting])
    loss = cross_entropy(outputs.logits["imputation"], labels.conversion)
    return Term(
        self_normalised(loss, weight, labels.click), config.imputation_weight, "clicked, weighted"
    )
