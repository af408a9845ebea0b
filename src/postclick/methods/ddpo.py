"""DDPO: click and conversion propensities, and soft labels from the second of them."""

from typing import Literal

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
    size,
    weighted_mean,
)
from postclick.methods.base import Clip, Contract, Labels, Method, Outputs, PropensityConfig, Weight
from postclick.methods.networks.ddpo import CausalNetwork
from postclick.ranges import READING, SWITCH, UNIT, WEIGHT


class DdpoConfig(PropensityConfig):
    """Options of DDPO.

    Attributes:
        soft_label: `dynamic` gives clicked impressions the label y* = 1 where v = 1 and sg(a)
            elsewhere, as in the paper; `unclicked_only` gives them v (the paper's "w/o DSL",
            and DDPO as EVI and ChorusCVR quote it), which is consistent.
        conversion_head: `False` drops a, its transfer module and every soft label.
        transfer: causal transfer modules between the encoders.
        transfer_projection: a token is ReLU(Linear(f)), or f itself.
        transfer_bias: biases of the attention's query, key and value.
        self_normalise: let the weights of either space sum to 1; `False` divides by n.
        extra_batch_mean: divide both CVR terms by n once more, as paper (Eqs. 10 and 15) and
            official code do. They are then O(1/n), and CTCVR is what trains pCVR.
    """

    search = {
        **PropensityConfig.search,
        "conversion_weight": WEIGHT,
        "ctcvr_weight": WEIGHT,
        "cvr_clicked_weight": WEIGHT,
        "cvr_unclicked_weight": WEIGHT,
        "self_normalise": SWITCH,
        "detach_ctr_in_ctcvr": SWITCH,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
        "soft_label": READING,
        "conversion_head": READING,
        "transfer": READING,
        "transfer_projection": READING,
        "transfer_bias": READING,
        "extra_batch_mean": READING,
    }

    clip: Clip = (1e-6, 1 - 1e-6)
    ctr_weight: float = Weight
    conversion_weight: float = Weight
    ctcvr_weight: float = Weight
    cvr_clicked_weight: float = Weight
    cvr_unclicked_weight: float = Weight
    soft_label: Literal["dynamic", "unclicked_only"] = "dynamic"
    conversion_head: bool = True
    transfer: bool = True
    transfer_projection: bool = True
    transfer_bias: bool = True
    self_normalise: bool = True
    extra_batch_mean: bool = False
    detach_ctr_in_ctcvr: bool = False

    def idle(self) -> frozenset[str]:
        names = ("conversion_weight", "cvr_unclicked_weight")
        return frozenset(() if self.conversion_head else names)


class Ddpo(Method[DdpoConfig]):
    """Direct dual propensity optimisation.

    With the conversion propensity a, y* = 1 where v = 1 and sg(a) elsewhere, C clicked and U
    unclicked impressions, pi = clipped, detached p, w_C = (1 / pi) / sum_C(1 / pi) and
    w_U = (1 / (1 - pi)) / sum_U(1 / (1 - pi)):

        L = mean_D l(p; c) + mean_D[c l(a; v)] + mean_D l(p q; c v)
          + sum_C[w_C l(q; y*)] + sum_U[w_U l(q; sg(a))]
    """

    name = "ddpo"
    summary = "soft labels from a conversion propensity, on clicked and unclicked impressions"
    reference = "Su et al., DDPO, SIGIR 2024, Eqs. 8-15, and its official code"
    expect = (
        "WARNING: dynamic soft labels count clicks without conversion as a part of one, so on "
        "clicks the target is r (2 - r) instead of r: pCVR ends about 40 % too high, and CTCVR "
        "then pulls pCTR some 5 % too low. `ddpo/no_dsl` is consistent."
    )
    Config = DdpoConfig
    variants = {
        "no_convn": {"conversion_head": False},
        "no_ctm": {"transfer": False},
        "no_dsl": {"soft_label": "unclicked_only"},
        "released": {"extra_batch_mean": True},
        "evi_repo": {
            "soft_label": "unclicked_only",
            "self_normalise": False,
            "clip": (1e-7, 1 - 1e-7),
            "transfer_projection": False,
            "transfer_bias": False,
        },
    }

    contract = Contract(
        drops={"no_convn": ("conversion", "cvr_unclicked"), "no_ctm": (), "no_dsl": ()},
        weighted_cvr="cvr_clicked",
    )

    @staticmethod
    def start(config: DdpoConfig, rates: BaseRates) -> dict[str, float]:
        heads = {"ctr": rates.ctr, "cvr": rates.cvr}
        return {**heads, "conversion": rates.cvr} if config.conversion_head else heads

    def build(self, rates: BaseRates) -> None:
        config = self.config
        self.causal = CausalNetwork(
            self.embedding.width,
            self.start(config, rates),
            self.network,
            self.kind,
            transfer=config.transfer,
            project=config.transfer_projection,
            bias=config.transfer_bias,
        )

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        return Outputs(self.causal(x, serving=serving))

    @staticmethod
    def soft_label(config: DdpoConfig, outputs: Outputs) -> Tensor | None:
        return outputs.logits.get("conversion")

    @staticmethod
    def terms(config: DdpoConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        pi = propensity(ctr, config.clip, detach=config.detach_propensity)
        norm = "self" if config.self_normalise else "entire"
        batch = size(click.new_ones(click.shape))
        scale = 1 / batch if config.extra_batch_mean else 1.0

        def clicked(target: Tensor) -> Tensor:
            return scale * weighted_mean(cross_entropy(cvr, target), 1 / pi, click, norm)

        def fitted(target: Tensor) -> Term:
            return Term(clicked(target), config.cvr_clicked_weight, "clicked, weight 1/pi")

        terms = {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "ctcvr": Term(
                ctcvr_loss(ctr, cvr, *labels, detach_ctr=config.detach_ctr_in_ctcvr),
                config.ctcvr_weight,
                "entire",
            ),
        }
        if not config.conversion_head:
            return {**terms, "cvr_clicked": fitted(conversion)}
        soft = pseudo_label(outputs.logits["conversion"])
        dynamic = conversion + (1 - conversion) * soft
        loss = cross_entropy(cvr, soft)
        return {
            **terms,
            "conversion": Term(
                mean_entire(click * cross_entropy(outputs.logits["conversion"], conversion)),
                config.conversion_weight,
                "clicked, over n",
            ),
            "cvr_clicked": fitted(dynamic if config.soft_label == "dynamic" else conversion),
            "cvr_unclicked": Term(
                scale * weighted_mean(loss, 1 / (1 - pi), 1 - click, norm),
                config.cvr_unclicked_weight,
                "unclicked, weight 1/(1-pi)",
            ),
        }
