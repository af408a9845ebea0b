"""EVI: a click-conditioned CVR teacher, logit distillation and variational transfer."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
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
    pseudo_label,
)
from postclick.methods.base import Clip, Contract, Labels, Method, Outputs, PropensityConfig
from postclick.methods.networks.evi import Teacher, VariationalTransfer, vie_loss
from postclick.nn.heads import HeadNetwork
from postclick.ranges import READING, SWITCH, UNIT, WEIGHT, Choice


class EviConfig(PropensityConfig):
    """Options of EVI. Paper and released code differ; each difference is an option.

    Attributes:
        teacher_space: `entire` fits the teacher to *recorded* conversions of all impressions,
            0 where nobody clicked, as released: it converges to CTCVR, not CVR, and the student
            then under-predicts. `click` fits it on clicked impressions and is consistent.
        teacher: `False` drops the teacher and the unclicked term altogether.
        condition_at: the pCTR-conditioned outer product is applied to the embedded features
            (`input`, released code), to the teacher's last activation (`representation`, the
            paper's figure), or nowhere (`none`: without CECT).
        detach_condition: stop the teacher's loss from training pCTR through the condition.
        detach_pseudo_label: stop the distillation from training the teacher.
        transfer_layers: K, how many of the last tower layers are matched by VIE.
        vie_reduction: mean or sum over a layer's neurons (always mean over impressions).
        softplus_is: whether softplus(rho) + 1e-3 is the Gaussian's variance (code) or its
            standard deviation (paper, Eq. 11).
        freeze_sigma: keep the variance at its start, 5.0077, as the released code does.
        detach_teacher_in_vie: dropping H(T) in Eq. 10 is only valid if VIE does not train T.
        half: the factor 1/2 of Eq. 15.
        unclicked_weight: weight of the distillation beside the clicked term in Eq. 15.
    """

    search = {
        **PropensityConfig.search,
        "teacher_weight": WEIGHT,
        "cvr_weight": WEIGHT,
        "vie_weight": WEIGHT,
        "ctcvr_weight": WEIGHT,
        "unclicked_weight": WEIGHT,
        "condition_at": Choice(("input", "representation")),
        "transfer_layers": Choice((1, 2, 3)),
        "softplus_is": Choice(("variance", "std")),
        "detach_ctr_in_ctcvr": SWITCH,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
        "half": "a factor of cvr_weight",
        "vie_reduction": "a factor of vie_weight",
        "teacher": READING,
        "teacher_space": READING,
        "detach_condition": READING,
        "detach_pseudo_label": READING,
        "freeze_sigma": READING,
        "detach_teacher_in_vie": READING,
    }

    clip: Clip = (0.001, 0.999)
    ctr_weight: float = Field(default=0.2, ge=0)
    teacher_weight: float = Field(default=0.2, ge=0)
    cvr_weight: float = Field(default=0.4, ge=0)
    vie_weight: float = Field(default=0.8, ge=0)
    ctcvr_weight: float = Field(default=0.1, ge=0)
    unclicked_weight: float = Field(default=1.0, ge=0)
    half: bool = True
    teacher: bool = True
    teacher_space: Literal["entire", "click"] = "entire"
    condition_at: Literal["input", "representation", "none"] = "input"
    detach_condition: bool = True
    detach_pseudo_label: bool = True
    transfer_layers: int = Field(default=3, ge=0)
    vie_reduction: Literal["mean", "sum"] = "mean"
    softplus_is: Literal["variance", "std"] = "variance"
    freeze_sigma: bool = False
    detach_teacher_in_vie: bool = True
    detach_ctr_in_ctcvr: bool = False
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "released": {
            "half": False,
            "cvr_weight": 0.2,
            "transfer_layers": 2,
            "freeze_sigma": True,
            "detach_teacher_in_vie": False,
            "condition_at": "input",
        }
    }

    @model_validator(mode="after")
    def _transfer_needs_a_teacher(self) -> Self:
        if not self.teacher and self.transfers:
            raise ValueError("teacher=false leaves nothing to transfer: set vie_weight=0 as well")
        return self

    @property
    def transfers(self) -> bool:
        return self.vie_weight > 0 and self.transfer_layers > 0

    def idle(self) -> frozenset[str]:
        transfer = frozenset(("transfer_layers", "softplus_is", "vie_weight"))
        if not self.teacher:
            return transfer | {"teacher_weight", "unclicked_weight", "condition_at"}
        return frozenset() if self.transfers else transfer


class Evi(Method[EviConfig]):
    """Entire-space variational information exploitation.

    With teacher g(x, sg(p)), student q, pi = clipped, detached p, and matched tower layers
    T_k (teacher) and S_k (student):

        L = w_c mean_D l(p; c) + w_t mean_D l(g; v)
          + w_r 1/2 {mean_D[c l(q; v) / pi] + w_U mean_D[(1 - c) l(q; sg(g)) / (1 - pi)]}
          + w_i sum_k mean[1/2 ln s_k^2 + (T_k - mu_k)^2 / (2 s_k^2)] + w_g mean_D l(p q; c v)

    with mu_k = Linear(S_k), s_k^2 = softplus(rho_k) + 1e-3.
    """

    name = "evi"
    summary = "click-conditioned teacher, distilled on unclicked impressions, with VIE"
    reference = "Fei, Zhang, Li, EVI, AAAI 2025, Eqs. 11-16"
    expect = (
        "WARNING: the default follows the released code, whose teacher is fitted to recorded "
        "conversions, 0 wherever nobody clicked. It learns CTCVR, and the student's pCVR ends "
        "at about .51 to .57 of the truth. `evi/click_teacher` is consistent in the limit."
    )
    backbone = "mmoe"
    Config = EviConfig
    variants = {
        "no_vie": {"vie_weight": 0.0},
        "no_vie_cect": {"vie_weight": 0.0, "condition_at": "none"},
        "no_teacher": {"vie_weight": 0.0, "teacher": False},
        "click_teacher": {"teacher_space": "click"},
        "released": {"preset": "released"},
    }
    contract = Contract(
        drops={"no_vie": ("vie",), "no_vie_cect": ("vie",), "no_teacher": ("vie", "teacher")}
    )

    @classmethod
    def all_heads(cls, config: EviConfig, rates: BaseRates) -> dict[str, float]:
        heads = cls.start(config, rates)
        if not config.teacher:
            return heads
        clicked = config.teacher_space == "click"
        return {**heads, "teacher": rates.cvr if clicked else rates.ctr * rates.cvr}

    def build(self, rates: BaseRates) -> None:
        config, width = self.config, self.embedding.width
        self.net = HeadNetwork(width, self.start(config, rates), self.network, self.kind)
        if config.teacher:
            start = self.all_heads(config, rates)["teacher"]
            self.teacher = Teacher(width, start, config.condition_at, self.network, self.kind)
        if config.transfers:
            self.vie = VariationalTransfer(
                self.network.tower, config.transfer_layers, trainable=not config.freeze_sigma
            )

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        outputs = self.net(x)
        ctr, student = outputs["ctr"], outputs["cvr"]
        logits = {"ctr": ctr.logit, "cvr": student.logit}
        if serving or not self.config.teacher:
            return Outputs(logits)
        condition = ctr.logit.detach() if self.config.detach_condition else ctr.logit
        teacher = self.teacher(x, condition.sigmoid())
        logits["teacher"] = teacher.logit
        if not self.config.transfers:
            return Outputs(logits)
        pairs = self.vie(teacher.activations, student.activations)
        return Outputs(logits, {"vie": pairs})

    @classmethod
    def extras(cls, config: EviConfig) -> tuple[str, ...]:
        """`vie`: `ActivationPair`s of matched tower layers."""
        return ("vie",) if config.teacher and config.transfers else ()

    @staticmethod
    def soft_label(config: EviConfig, outputs: Outputs) -> Tensor | None:
        return outputs.logits.get("teacher")

    @staticmethod
    def terms(config: EviConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        pi = propensity(ctr, config.clip, detach=config.detach_propensity)
        student = mean_entire(click * cross_entropy(cvr, conversion) / pi)
        terms = {"ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire")}
        space = "clicked, weight 1/pi"
        if config.teacher:
            teacher = outputs.logits["teacher"]
            target = pseudo_label(teacher, detach=config.detach_pseudo_label)
            distilled = (1 - click) * cross_entropy(cvr, target) / (1 - pi)
            student = student + config.unclicked_weight * mean_entire(distilled)
            space += ", unclicked with weight 1/(1-pi)"
            on_clicks = config.teacher_space == "click"
            seen = click if on_clicks else click.new_ones(())
            fitted = mean_entire(seen * cross_entropy(teacher, click * conversion))
            where = "clicked" if on_clicks else "entire, recorded label"
            terms["teacher"] = Term(fitted, config.teacher_weight, where)
        student = 0.5 * student if config.half else student
        terms["cvr"] = Term(student, config.cvr_weight, space)
        ctcvr = ctcvr_loss(ctr, cvr, *labels, detach_ctr=config.detach_ctr_in_ctcvr)
        terms["ctcvr"] = Term(ctcvr, config.ctcvr_weight, "entire")
        if "vie" in outputs.extra:
            vie = vie_loss(
                outputs.extra["vie"],
                detach_teacher=config.detach_teacher_in_vie,
                reduction=config.vie_reduction,
                softplus_is=config.softplus_is,
            )
            terms["vie"] = Term(vie, config.vie_weight, "entire")
        return terms
