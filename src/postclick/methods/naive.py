"""CVR from clicked impressions alone: the baseline with sample selection bias."""

from typing import Literal

from pydantic import Field

from postclick.losses import (
    Term,
    Terms,
    cross_entropy,
    ctr_loss,
    listwise_ranking_loss,
    mean_clicked,
    mean_entire,
    pairwise_ranking_loss,
)
from postclick.methods.base import Contract, Labels, Method, MethodConfig, Outputs, Weight
from postclick.ranges import READING, UNIT, WEIGHT, Between, Choice


class NaiveConfig(MethodConfig):
    """Options of the click-space baselines.

    Attributes:
        reduction: mean over clicked impressions (ChorusCVR, Eq. 2) or over all (EVI, Eq. 2).
        rank_weight: weight of a pairwise ranking term beside cross-entropy: the mean of
            ln(1 + exp(z_j - z_i)) over all pairs of a clicked converter i and a clicked other j of
            the batch, z = logit q (Combined-Pair, Lin et al., KDD 2024; RankNet). 0 leaves it out.
        list_weight: weight of a listwise term in its place or beside it, the clicks of a batch as
            one list: ln mean_C exp z less the mean of z over clicked converters (Combined-List).
    """

    search = {
        "reduction": Choice(("mean_clicked", "mean_entire")),
        "cvr_weight": WEIGHT,
        "rank_weight": Between(0.0, 2.0),
    }
    unsearched = {
        "ctr_weight": UNIT,
        "list_weight": READING,
    }

    reduction: Literal["mean_clicked", "mean_entire"] = "mean_clicked"
    ctr_weight: float = Weight
    cvr_weight: float = Weight
    rank_weight: float = Field(default=0.0, ge=0)
    list_weight: float = Field(default=0.0, ge=0)


class Naive(Method[NaiveConfig]):
    r"""Joint CTR and click-space CVR model.

    L = mean_D l(p; c) + mean_C l(q; v), with p = pCTR, q = pCVR, D all impressions, C clicked
    ones. ChorusCVR, Eq. 2; EVI, Eqs. 2 and 4. With `ctr_weight=0` the CTR head is not trained.
    `naive/rank` adds a pairwise ranking term on clicks, `naive/list` a listwise one.
    """

    name = "naive"
    summary = "click-space CVR beside CTR; no correction of selection bias"
    reference = "EVI (Fei, Zhang, Li, AAAI 2025), Eq. 2; ChorusCVR (Cheng et al. 2025), Eq. 2"
    expect = (
        "biased wherever people who click convert otherwise than people who do not and the "
        "features do not say so; the baseline that every other method has to beat. `naive/rank` "
        "has the same limit: pairs fix logits up to a shift, cross-entropy the shift. WARNING: "
        "`naive/list` has not: a list's softmax wants exp z to go with the conversion rate, where "
        "cross-entropy wants the odds, so that high pCVR ends too low and low too high, up to 29 % "
        "in a decile of the audit."
    )
    Config = NaiveConfig
    variants = {
        "no_ctr": {"ctr_weight": 0.0},
        "rank": {"rank_weight": 1.0},
        "list": {"list_weight": 1.0},
    }
    contract = Contract(drops={"no_ctr": ("ctr",)})

    @staticmethod
    def terms(config: NaiveConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, cvr = outputs.logits["ctr"], outputs.logits["cvr"]
        loss = cross_entropy(cvr, conversion)
        clicked = config.reduction == "mean_clicked"
        terms = {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            "cvr": Term(
                mean_clicked(loss, click) if clicked else mean_entire(click * loss),
                config.cvr_weight,
                "clicked",
            ),
        }
        if config.rank_weight:  # pairs are many: none are made for nothing
            ranked = pairwise_ranking_loss(cvr, click, conversion)
            terms["rank"] = Term(ranked, config.rank_weight, "clicked")
        if config.list_weight:
            listed = listwise_ranking_loss(cvr, click, conversion)
            terms["list"] = Term(listed, config.list_weight, "clicked")
        return terms
