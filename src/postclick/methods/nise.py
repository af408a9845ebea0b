"""NISE: unclicked impressions labelled by the CVR model's own predictions."""

import copy
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.data.prepared import BaseRates
from postclick.losses import Term, Terms, cross_entropy, ctr_loss, mean_entire, pseudo_label
from postclick.methods.base import (
    Contract,
    Labels,
    Method,
    MethodConfig,
    Outputs,
    Phase,
    Step,
    Weight,
)
from postclick.ranges import READING, UNIT, WEIGHT

# A thousand steps of memory, shorter while there have been few.
LONGEST_DECAY = 0.999


class NiseConfig(MethodConfig):
    """Options of NISE.

    Attributes:
        pseudo: what labels unclicked impressions. `self_attached` is q itself, with the gradient
            through the label that the official code leaves there: the term is the entropy of
            q. `self_detached` is sg(q), whose gradient is exactly 0. `ema` is an average of the
            network's past weights (above the embeddings, which are the present ones),
            `previous_epoch` the whole model as it was at the end of the last epoch (in the
            first, sg(q)), `click_tower` a further head that is trained on clicks only.
        alpha, beta: the CVR loss weighs alpha min(L_ctr / L_cvr, beta).
        fixed_weight: that weight, if it is to be fixed.
        unclicked: `False` drops the unclicked impressions from L_cvr.
        ctr_task: `False` trains CVR alone, with weight 1 unless fixed.
    """

    search = {
        "cvr_weight": WEIGHT,
        "beta": WEIGHT,
    }
    unsearched = {
        "ctr_weight": UNIT,
        "alpha": "a factor of cvr_weight",
        "pseudo": READING,
        "fixed_weight": READING,
        "unclicked": READING,
        "ctr_task": READING,
    }

    ctr_weight: float = Weight
    cvr_weight: float = Weight
    pseudo: Literal["self_attached", "self_detached", "ema", "previous_epoch", "click_tower"] = (
        "self_attached"
    )
    alpha: float = Field(default=1.0, ge=0)
    beta: float = Field(default=50.0, ge=0)
    fixed_weight: float | None = Field(default=None, ge=0)
    unclicked: bool = True
    ctr_task: bool = True

    def idle(self) -> frozenset[str]:
        if not self.ctr_task:
            return frozenset(("cvr_weight", "beta"))
        return frozenset(() if self.fixed_weight is None else ("beta",))


class Nise(Method[NiseConfig]):
    """Non-click samples, semi-supervised.

    With a pseudo-label y, in the official code q itself, and sg = stop-gradient:

        L = L_ctr + W L_cvr,  L_ctr = mean_D l(p; c),  W = alpha min(sg(L_ctr / L_cvr), beta)
        L_cvr = mean_D[c l(q; v)] + mean_D[(1 - c) l(q; y)]

    There is no CTCVR term, and no propensity. With `pseudo=click_tower`, + mean_D[c l(t; v)]
    and y = sg(t).
    """

    name = "nise"
    summary = "semi-supervised: unclicked impressions labelled by the CVR model itself"
    reference = "Huang et al., NISE, RecSys 2024, and its official code"
    expect = (
        "WARNING: as released, the unclicked term is the entropy of pCVR, and minimising it "
        "drives pCVR of unclicked impressions to 0; through shared features clicked ones follow, "
        "to between 1 and 10 % of the truth, the lower the CTR the further. Use `nise/ema` or "
        "`nise/click_tower`: they are right where plain click-space CVR is, and correct no "
        "selection beyond that."
    )
    Config = NiseConfig
    variants = {
        "no_ctr": {"ctr_task": False},
        "no_unclicked": {"unclicked": False},
        "fixed_weight": {"fixed_weight": 1.0},
        "self_detached": {"pseudo": "self_detached"},
        "ema": {"pseudo": "ema"},
        "previous_epoch": {"pseudo": "previous_epoch"},
        "click_tower": {"pseudo": "click_tower"},
    }
    contract = Contract(
        drops={"no_ctr": ("ctr",), "no_unclicked": ()}, scales={"no_ctr": ("cvr_weight",)}
    )

    @staticmethod
    def start(config: NiseConfig, rates: BaseRates) -> dict[str, float]:
        heads = {"ctr": rates.ctr, "cvr": rates.cvr}
        return {**heads, "teacher": rates.cvr} if config.pseudo == "click_tower" else heads

    def build(self, rates: BaseRates) -> None:
        super().build(rates)
        if self.config.pseudo in ("ema", "previous_epoch"):
            self.earlier = _frozen_copy(self.net)
            # Steps that are averaged, or epochs that have ended.
            self.register_buffer("age", torch.zeros((), dtype=torch.long))
        if self.config.pseudo == "previous_epoch":
            self.earlier_embedding = _frozen_copy(self.embedding)

    def schedule(self, epochs: int) -> tuple[Phase, ...]:
        """One phase, or with `previous_epoch` one for each epoch, so that `begin` can copy."""
        if self.config.pseudo != "previous_epoch":
            return super().schedule(epochs)
        return (Phase("first", 1), *[Phase("later", 1)] * (epochs - 1))

    @torch.no_grad()
    def begin(self, phase: Phase) -> None:
        """Keep the model of the epoch that has ended."""
        if self.config.pseudo == "previous_epoch" and phase.name == "later":
            self.earlier.load_state_dict(self.net.state_dict())
            self.earlier_embedding.load_state_dict(self.embedding.state_dict())
            self._age().add_(1)

    def forward(self, batch: Batch, step: Step = Step()) -> Outputs:  # noqa: B008
        x = self.embed(batch)
        outputs = self.heads(x, serving=False)
        if self.config.pseudo == "ema":
            outputs.extra["earlier"] = self._earlier(x)
        elif self.config.pseudo == "previous_epoch" and int(self._age()) > 0:
            with torch.no_grad():
                x = self.earlier_embedding(batch.ids, batch.numeric, batch.bags)
            outputs.extra["earlier"] = self._earlier(x)
        return outputs

    def loss(self, batch: Batch, step: Step = Step()) -> tuple[Outputs, Terms]:  # noqa: B008
        if self.config.pseudo == "ema" and self.training:
            self._average()
        return super().loss(batch, step)

    @classmethod
    def extras(cls, config: NiseConfig) -> tuple[str, ...]:
        """`earlier`: CVR logit [n] of the past model, which in a first epoch there is none of."""
        return ("earlier",) if config.pseudo == "ema" else ()

    @torch.no_grad()
    def _earlier(self, x: Tensor) -> Tensor:
        """CVR logit of the frozen network, without dropout and with its own batch statistics."""
        self.earlier.eval()
        logit: Tensor = self.earlier(x.detach(), only=("cvr",))["cvr"].logit
        return logit

    @torch.no_grad()
    def _average(self) -> None:
        """Move the average to the present weights; the first steps count for more."""
        age = self._age()
        decay = min(LONGEST_DECAY, (1 + int(age)) / (10 + int(age)))
        for old, new in zip(
            self.earlier.state_dict().values(), self.net.state_dict().values(), strict=True
        ):
            # Batch norm counts its batches in an integer, which cannot be averaged.
            old.lerp_(new, 1 - decay) if old.is_floating_point() else old.copy_(new)
        age.add_(1)

    def _age(self) -> Tensor:
        return self.get_buffer("age")

    @staticmethod
    def soft_label(config: NiseConfig, outputs: Outputs) -> Tensor | None:
        """An average or a copy stands still where the model does, and a model without a past is
        its own: without an `earlier` logit it is the model's.
        """
        if not config.unclicked:
            return None
        if config.pseudo == "click_tower":
            return outputs.logits["teacher"]
        earlier: Tensor = outputs.extra.get("earlier", outputs.logits["cvr"])
        return earlier

    @staticmethod
    def terms(config: NiseConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        of_clicks = ctr_loss(ctr, click)
        loss = mean_entire(click * cross_entropy(cvr, conversion))
        label = Nise.soft_label(config, outputs)
        if label is not None:
            attached = config.pseudo == "self_attached"
            pseudo = cross_entropy(cvr, pseudo_label(label, detach=not attached))
            loss = loss + mean_entire((1 - click) * pseudo)
        terms: Terms = {}
        if config.ctr_task:
            terms["ctr"] = Term(of_clicks, config.ctr_weight, "entire")
        if config.pseudo == "click_tower":
            teacher = mean_entire(click * cross_entropy(outputs.logits["teacher"], conversion))
            terms["teacher"] = Term(teacher, config.cvr_weight, "clicked, over n")
        balanced = _balance(config, of_clicks.detach(), loss.detach()) * loss
        pseudo_labelled = "clicked with v, unclicked with a pseudo-label"
        space = "clicked, over n" if label is None else pseudo_labelled
        terms["cvr"] = Term(balanced, config.cvr_weight, space)
        return terms


def _balance(config: NiseConfig, ctr_loss: Tensor, cvr_loss: Tensor) -> Tensor:
    """The weight W of L_cvr; both losses come detached."""
    if config.fixed_weight is not None:
        return cvr_loss.new_tensor(config.fixed_weight)
    if not config.ctr_task:
        return cvr_loss.new_ones(())
    positive = cvr_loss > 0
    ratio = torch.where(positive, ctr_loss / torch.where(positive, cvr_loss, 1.0), config.beta)
    return config.alpha * ratio.clamp(max=config.beta)


def _frozen_copy(module: nn.Module) -> nn.Module:
    """A copy that no step trains; it is saved with the model."""
    return copy.deepcopy(module).requires_grad_(False)
