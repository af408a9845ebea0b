"""Click-space CVR by a focal loss, in one file: a method without a propensity."""

from pydantic import Field

from postclick.losses import Term, Terms, cross_entropy, ctr_loss, mean_clicked
from postclick.methods import Labels, Method, MethodConfig, Outputs
from postclick.ranges import UNIT, WEIGHT, Between


class FocalConfig(MethodConfig):
    """`focus`: how much less easy rows count; 0 is cross-entropy."""

    search = {"focus": Between(0.0, 4.0), "cvr_weight": WEIGHT}
    unsearched = {"ctr_weight": UNIT}

    focus: float = Field(default=1.0, ge=0, le=5)
    ctr_weight: float = Field(default=1.0, ge=0)
    cvr_weight: float = Field(default=1.0, ge=0)


class Focal(Method[FocalConfig]):
    """L = mean_D l(p; c) + mean_C [(1 - q_v)^focus l(q; v)], q_v the probability of the label."""

    name = "focal"
    summary = "click-space CVR by a focal loss"
    reference = "Lin et al., Focal Loss for Dense Object Detection, ICCV 2017"
    expect = "as biased as `naive`, and its probabilities are not calibrated."
    Config = FocalConfig
    variants = {"plain": {"focus": 0.0}}

    @staticmethod
    def terms(config: FocalConfig, outputs: Outputs, labels: Labels) -> Terms:
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        loss = cross_entropy(cvr, labels.conversion)
        focal = (-(-loss).expm1()).clamp(min=1e-12) ** config.focus * loss
        return {
            "ctr": Term(ctr_loss(ctr, labels.click), config.ctr_weight, "entire"),
            "cvr": Term(mean_clicked(focal, labels.click), config.cvr_weight, "clicked"),
        }
