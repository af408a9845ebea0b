"""A propensity method with soft labels: IPW on clicks, a click-space teacher on the rest."""

from pydantic import Field
from torch import Tensor

from postclick.data.prepared import BaseRates
from postclick.losses import (
    Term,
    Terms,
    cross_entropy,
    ctr_loss,
    mean_clicked,
    mean_entire,
    propensity,
    pseudo_label,
)
from postclick.methods import Contract, Labels, Method, Outputs
from postclick.methods.base import PropensityConfig
from postclick.ranges import UNIT, WEIGHT


class SoftConfig(PropensityConfig):
    """`soft_weight`: of the teacher's labels where nobody clicked."""

    search = {**PropensityConfig.search, "cvr_weight": WEIGHT, "soft_weight": WEIGHT}
    unsearched = {**PropensityConfig.unsearched, "ctr_weight": UNIT, "teacher_weight": UNIT}

    ctr_weight: float = Field(default=1.0, ge=0)
    teacher_weight: float = Field(default=1.0, ge=0)
    cvr_weight: float = Field(default=1.0, ge=0)
    soft_weight: float = Field(default=0.5, ge=0)


class Soft(Method[SoftConfig]):
    """L = mean_D l(p; c) + mean_C l(t; v) + mean_D [c l(q; v) / pi] + w mean_D [(1-c) l(q; sg t)].

    With the teacher t, pi = clipped, detached p.
    """

    name = "soft"
    summary = "inverse-propensity CVR on clicks, a click-space teacher's labels elsewhere"
    reference = "an example of 2026"
    expect = "as biased where nobody clicked as its teacher is."
    Config = SoftConfig
    variants = {"no_soft": {"soft_weight": 0.0}}
    contract = Contract(drops={"no_soft": ("soft",)})

    @staticmethod
    def start(config: SoftConfig, rates: BaseRates) -> dict[str, float]:
        return {"ctr": rates.ctr, "cvr": rates.cvr, "teacher": rates.cvr}

    @staticmethod
    def soft_label(config: SoftConfig, outputs: Outputs) -> Tensor | None:
        return outputs.logits["teacher"] if config.soft_weight > 0 else None

    @staticmethod
    def terms(config: SoftConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr, teacher = (outputs.logits[head] for head in ("ctr", "cvr", "teacher"))
        pi = propensity(ctr, config.clip, detach=config.detach_propensity)
        fitted = mean_clicked(cross_entropy(teacher, conversion), click)
        weighted = mean_entire(click * cross_entropy(cvr, conversion) / pi)
        soft = mean_entire((1 - click) * cross_entropy(cvr, pseudo_label(teacher)))
        return {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "teacher": Term(fitted, config.teacher_weight, "clicked"),
            "cvr": Term(weighted, config.cvr_weight, "clicked, weight 1/pi"),
            "soft": Term(soft, config.soft_weight, "unclicked, over n"),
        }
