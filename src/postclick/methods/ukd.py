"""UKD: an adversarial teacher labels unclicked impressions for a student that doubts it."""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from postclick.data.batch import Batch
from postclick.data.prepared import BaseRates
from postclick.losses import (
    Term,
    Terms,
    cross_entropy,
    ctr_loss,
    mean_clicked,
    mean_entire,
    mean_unclicked,
    pseudo_label,
)
from postclick.mean_logit import mean_logit
from postclick.methods.base import (
    Contract,
    Labels,
    Method,
    MethodConfig,
    Outputs,
    Phase,
    Prediction,
    Step,
    Weight,
    preparing_epochs,
)
from postclick.methods.networks.ukd import Teacher, TwoHeadedStudent, reversal_strength
from postclick.ranges import READING, UNIT, WEIGHT, Choice

TEACHER = Step("teacher", ("teacher", "adversarial"), ("teacher.",))
STUDENT = Step(
    "student",
    ("ctr", "cvr_first", "cvr_second", "agreement_12", "agreement_21"),
    ("embedding.", "student."),
)
# Probabilities within a divergence are kept 1e-6 from 0 and 1.
LARGEST_LOGIT = 13.815510


class UkdConfig(MethodConfig):
    """Options of UKD.

    Attributes:
        teacher_share: the teacher's epochs as a share of the student's; it is then frozen.
        cvr_weight: of both students' losses; the EVI authors' code has the CTR weight, .2, here.
        agreement_weight: of both divergences between the students.
        unclicked_weight: of unclicked impressions beside clicked ones.
        kl_space: impressions over which the students have to agree.
        uncertainty, exponent: weight soft labels by exp(-exponent KL), or by 1.
    """

    search = {
        "adversarial_weight": WEIGHT,
        "cvr_weight": WEIGHT,
        "agreement_weight": WEIGHT,
        "unclicked_weight": WEIGHT,
        "kl_space": Choice(("unclicked", "all")),
        "exponent": WEIGHT,
        "teacher_share": Choice((0.5, 1.0)),
    }
    unsearched = {
        "teacher_weight": UNIT,
        "ctr_weight": UNIT,
        "uncertainty": READING,
    }

    teacher_weight: float = Weight
    adversarial_weight: float = Field(default=0.5, ge=0)
    ctr_weight: float = Field(default=0.2, ge=0)
    cvr_weight: float = Weight
    agreement_weight: float = Weight
    unclicked_weight: float = Field(default=0.5, ge=0)
    kl_space: Literal["unclicked", "all"] = "unclicked"
    uncertainty: bool = True
    exponent: float = Field(default=100.0, ge=0)
    teacher_share: float = Field(default=1.0, gt=0)

    def idle(self) -> frozenset[str]:
        return frozenset(() if self.uncertainty else ("exponent",))


class Ukd(Method[UkdConfig]):
    """Uncertainty-regularised knowledge distillation, in two phases.

    Teacher a, with embeddings of its own; d = P(click) by a discriminator on its representation,
    through a gradient reversal whose strength grows from 0 to 1 over the phase:

        L = 1/2 mean_C l(a; v) + .5 (mean_C l(d; 1) + mean_U l(d; 0)) / 2

    This is the published loss on a batch in which clicked impressions are drawn with replacement
    until they are as many as unclicked ones, in expectation: weighting them by n_U / n_C instead
    has the same mean and no variance from the draw. Then the student, q = (q1 + q2) / 2:

        L = .2 mean_D l(p; c) + mean_D[(1 - c)(K_12 + K_21)]
          + sum_i mean_D[c l(q_i; v) + .5 (1 - c) u_i l(q_i; sg(a))]

    with K_ij = KL(q_i || q_j) and u_i = exp(-100 sg(K_ij)).
    """

    name = "ukd"
    summary = "adversarial teacher, distilled on unclicked impressions weighted by certainty"
    reference = "Xu et al., UKD, WWW 2022"
    expect = (
        "a teacher trained on clicks alone, so right where the features explain who clicks. "
        "WARNING: the adversarial term takes from it whatever tells clicked from unclicked "
        "impressions; where conversion depends on that too, soft labels move towards the clicked "
        "CVR (compare `ukd/no_adversary`)."
    )
    Config = UkdConfig
    variants = {
        "no_adversary": {"adversarial_weight": 0.0},
        "distillation": {"uncertainty": False, "agreement_weight": 0.0},
        "evi_repo": {"cvr_weight": 0.2, "kl_space": "all"},
    }
    # The reversal of the gradient has no strength yet when training begins.
    contract = Contract(drops={"no_adversary": ("adversarial",)}, flat_at_start=("adversarial",))

    @staticmethod
    def start(config: UkdConfig, rates: BaseRates) -> dict[str, float]:
        return {"ctr": rates.ctr, "cvr": rates.cvr, "cvr_second": rates.cvr}

    @classmethod
    def all_heads(cls, config: UkdConfig, rates: BaseRates) -> dict[str, float]:
        return {"teacher": rates.cvr, "domain": 0.5, **cls.start(config, rates)}

    def build(self, rates: BaseRates) -> None:
        self.teacher = Teacher(self.new_embedding(), rates.cvr, self.network, self.kind)
        starts = self.start(self.config, rates)
        self.student = TwoHeadedStudent(self.embedding.width, starts, self.network, self.kind)

    @classmethod
    def extra_epochs(cls, config: UkdConfig, epochs: int) -> int:
        """The teacher's."""
        return preparing_epochs(config.teacher_share, epochs)

    def schedule(self, epochs: int) -> tuple[Phase, ...]:
        """The teacher's phase, if it has a loss, and then the student's."""
        config, phases = self.config, []
        count = preparing_epochs(config.teacher_share, epochs)
        student = any((config.ctr_weight, config.cvr_weight, config.agreement_weight))
        if any((config.teacher_weight, config.adversarial_weight)):
            phases.append(Phase("teacher", count if student else epochs, (TEACHER,), not student))
        if student:
            phases.append(Phase("student", epochs, (STUDENT,)))
        return tuple(phases)

    def forward(self, batch: Batch, step: Step = Step()) -> Outputs:  # noqa: B008
        """Heads of the step; the teacher as it serves in any step that does not train it."""
        logits: dict[str, Tensor] = {}
        if step.name != STUDENT.name:
            strength = reversal_strength(self.progress)
            logits["teacher"], logits["domain"] = self.teacher.with_domain(batch, strength)
        elif self.config.unclicked_weight > 0:
            logits["teacher"] = self._frozen_teacher(batch)
        if step.name != TEACHER.name:
            logits |= self.heads(self.embed(batch), serving=False).logits
        return Outputs(logits)

    @torch.no_grad()
    def _frozen_teacher(self, batch: Batch) -> Tensor:
        mode = self.teacher.training
        self.teacher.eval()
        try:
            logit: Tensor = self.teacher(batch).logit
        finally:
            self.teacher.train(mode)
        return logit

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        return Outputs(self.student(x))

    @staticmethod
    def serve(config: UkdConfig, outputs: Outputs) -> Prediction:
        """pCVR is the mean of both students' probabilities."""
        first, second = outputs.logits["cvr"], outputs.logits["cvr_second"]
        both = torch.stack([first, second], dim=-1)
        return Prediction(outputs.logits["ctr"], mean_logit(both))

    @staticmethod
    def soft_label(config: UkdConfig, outputs: Outputs) -> Tensor | None:
        return outputs.logits["teacher"] if config.unclicked_weight > 0 else None

    @staticmethod
    def terms(config: UkdConfig, outputs: Outputs, labels: Labels) -> Terms:
        """The terms of the phases whose heads there are."""
        terms: Terms = {}
        if "domain" in outputs.logits:
            terms |= _teacher_terms(config, outputs, labels)
        if "cvr_second" in outputs.logits:
            terms |= _student_terms(config, outputs, labels)
        return terms


def _teacher_terms(config: UkdConfig, outputs: Outputs, labels: Labels) -> Terms:
    click, conversion = labels
    domain = cross_entropy(outputs.logits["domain"], click)
    loss = cross_entropy(outputs.logits["teacher"], conversion)
    return {
        "teacher": Term(0.5 * mean_clicked(loss, click), config.teacher_weight, "clicked"),
        "adversarial": Term(
            0.5 * (mean_clicked(domain, click) + mean_unclicked(domain, click)),
            config.adversarial_weight,
            "clicked and unclicked, half each",
        ),
    }


def _student_terms(config: UkdConfig, outputs: Outputs, labels: Labels) -> Terms:
    logits = outputs.logits
    first, second = logits["cvr"], logits["cvr_second"]
    distances = (divergence(first, second), divergence(second, first))
    where = 1 - labels.click if config.kl_space == "unclicked" else torch.ones_like(labels.click)
    soft_labels = config.unclicked_weight > 0
    labelled = "clicked with v" + (", unclicked with a soft label" if soft_labels else "")

    def agreement(distance: Tensor) -> Term:
        space = "unclicked, over n" if config.kl_space == "unclicked" else "entire"
        return Term(mean_entire(where * distance), config.agreement_weight, space)

    fits = []
    for cvr, distance in zip((first, second), distances, strict=True):
        loss = labels.click * cross_entropy(cvr, labels.conversion)
        if soft_labels:
            trust = (-config.exponent * distance.detach()).exp() if config.uncertainty else 1.0
            soft = cross_entropy(cvr, pseudo_label(logits["teacher"]))
            loss = loss + config.unclicked_weight * (1 - labels.click) * trust * soft
        fits.append(Term(mean_entire(loss), config.cvr_weight, labelled))
    return {
        "ctr": Term(ctr_loss(logits["ctr"], labels.click), config.ctr_weight, "entire"),
        "cvr_first": fits[0],
        "cvr_second": fits[1],
        "agreement_12": agreement(distances[0]),
        "agreement_21": agreement(distances[1]),
    }


def divergence(a: Tensor, b: Tensor) -> Tensor:
    """KL(Bernoulli(sigmoid(a)) || Bernoulli(sigmoid(b))), elementwise.

    >>> divergence(torch.tensor([0.0, 2.0]), torch.tensor([0.0, -2.0]))
    tensor([0.0000, 1.5232])
    """
    a, b = (z.clamp(-LARGEST_LOGIT, LARGEST_LOGIT) for z in (a, b))
    on, off = F.logsigmoid(a) - F.logsigmoid(b), F.logsigmoid(-a) - F.logsigmoid(-b)
    return a.sigmoid() * on + (-a).sigmoid() * off
