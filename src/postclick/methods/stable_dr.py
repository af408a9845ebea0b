"""StableDR: self-normalised weights from a propensity that is trained to balance errors."""

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
    self_normalised,
)
from postclick.methods.base import Contract, Labels, Outputs, Step
from postclick.methods.imputation import ImputationMethod
from postclick.methods.imputation_losses import ImputationConfig, imputation_loss
from postclick.ranges import UNIT, WEIGHT


class StableDrConfig(ImputationConfig):
    """Options of the methods with an imputed label, and `constraint_weight`.

    Attributes:
        constraint_weight: weight of the squared imbalance of imputed errors, beside the CTR loss;
            0 is self-normalised weighting with a propensity that goes on being trained. The
            authors' code takes sums over a batch of n where means stand here, so that theirs, 100
            to 1000, are n times as large again.
        propensity_share: the propensity's epochs, which come first, as a share of `epochs`; it is
            trained on afterwards.
        detach_propensity: `False` lets the prediction loss train the propensity too.
    """

    search = {
        **ImputationConfig.search,
        "constraint_weight": WEIGHT,
    }
    unsearched = {
        **ImputationConfig.unsearched,
        "ctr_weight": UNIT,
    }

    constraint_weight: float = Field(default=1.0, ge=0)


def imputed_errors(outputs: Outputs) -> Tensor:
    """m = l(q; a) of the imputed label, [n], without a gradient."""
    return cross_entropy(outputs.logits["cvr"], pseudo_label(outputs.logits["imputation"])).detach()


def constraint(outputs: Outputs, labels: Labels, pi: LogPropensity) -> Tensor:
    """(mean_D[(c / pi)(m - mean_D m)])^2: weighted clicks have the imputed errors of all rows."""
    errors = imputed_errors(outputs)
    return mean_entire(labels.click * pi.inverse() * (errors - mean_entire(errors))).square()


class StableDr(ImputationMethod[StableDrConfig]):
    """Stabilised doubly robust learning.

    Models for p, q and a, the imputed conversion label; e = l(q; v), m = l(q; sg(a)),
    pi = clipped p. First p, then, on every batch and one after the other:

        L = mean_D l(p; c)
        L = mean_D[c (e - m)^2 / pi]                          trains a, q and p detached
        L = mean_D l(p; c) + eta (mean_D[(c / pi)(m - mean_D m)])^2    trains p, m detached
        L = sum_C [e / pi] / sum_C [1 / pi]                   trains q, p detached

    The constraint makes the self-normalised weights doubly robust: where it holds, weighted clicks
    have the mean of m over all impressions.
    """

    name = "stable_dr"
    summary = "self-normalised CVR weights, balanced for the errors of an imputed label"
    reference = "Li, Zheng, Wu, StableDR: Stabilized Doubly Robust Learning, ICLR 2023"
    expect = (
        "right where the propensity is; weights sum to 1, so that no small propensity makes the "
        "loss explode. It imputes nothing where nobody clicked: the imputed label only says what "
        "the propensity has to balance, by one number for a batch. Where the clip raises "
        "propensities the constraint lowers others in return, and pCTR with them: by up to .33 "
        "logit in docs/audit.md, by nothing with a clip of .001, which is below them all."
    )
    Config = StableDrConfig
    contract = Contract(
        drops={"no_constraint": ("constraint",)},
        trains_propensity=("constraint",),
        spares_propensity=("imputation",),
    )
    variants = {"no_constraint": {"constraint_weight": 0.0}}
    round_length = 3

    @staticmethod
    def terms(config: StableDrConfig, outputs: Outputs, labels: Labels) -> Terms:
        ctr = outputs.logits["ctr"]
        terms = {"ctr": Term(ctr_loss(ctr, labels.click), config.ctr_weight, "entire")}
        if "cvr" not in outputs.logits:
            return terms
        pi = LogPropensity.of(ctr, config.clip, detach=config.detach_propensity)
        attached = LogPropensity.of(ctr, config.clip, detach=False)
        error = cross_entropy(outputs.logits["cvr"], labels.conversion)
        imputed = imputation_loss(config, outputs, labels, pi.inverse())
        space = "clicked, weight 1/pi"
        return {
            **terms,
            "constraint": Term(
                constraint(outputs, labels, attached), config.constraint_weight, space
            ),
            "cvr": Term(
                self_normalised(error, pi.inverse(), labels.click), config.cvr_weight, space
            ),
            "imputation": Term(imputed, config.imputation_weight, space),
        }

    def later_steps(self) -> tuple[Step, ...]:
        config, later = self.config, super().later_steps()
        if not (config.ctr_weight or config.constraint_weight):
            return later
        step = Step("constrain", ("ctr", "constraint"), ("click_model.",))
        fit = tuple(s for s in later if s.name == "imputation")
        return (*fit, step, *(s for s in later if s.name != "imputation"))
