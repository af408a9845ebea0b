"""AITM: what the CTR tower knows is transferred to the conversion tower by attention."""

from typing import Any, Literal, cast

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from postclick.data.prepared import BaseRates
from postclick.losses import Term, Terms, cross_entropy, ctr_loss, mean_entire, total
from postclick.methods.base import (
    Contract,
    Labels,
    Method,
    MethodConfig,
    Outputs,
    Prediction,
    Weight,
)
from postclick.nn.attention import CausalTransfer
from postclick.nn.heads import Head, HeadNetwork, full_precision
from postclick.ranges import READING, UNIT, WEIGHT, Choice

# The largest pCVR that is served, in logs: pCTCVR may come out above pCTR, a probability not.
LOG_CVR_MAX = -1e-6


class AitmConfig(MethodConfig):
    """Options of AITM.

    Attributes:
        head: what the conversion head predicts. `ctcvr` is the original; pCVR is then served as
            pCTCVR / pCTR, capped below 1. `cvr` is the EVI authors' click-space head.
        constraint_reduction: sum or mean over impressions of what is above pCTR. The sum is the
            original; the constraint's part in the loss then grows with the batch size.
    """

    search = {
        "constraint_reduction": Choice(("sum", "mean")),
        "conversion_weight": WEIGHT,
        "constraint_weight": WEIGHT,
    }
    unsearched = {
        "head": READING,
        "ctr_weight": UNIT,
    }

    head: Literal["ctcvr", "cvr"] = "ctcvr"
    constraint_reduction: Literal["sum", "mean"] = "sum"
    ctr_weight: float = Weight
    conversion_weight: float = Weight
    constraint_weight: float = Field(default=0.6, ge=0)


class Aitm(Method[AitmConfig]):
    """Adaptive information transfer multi-task model.

    With y = pCTCVR from a head of its own, p = pCTR, D all impressions:

        L = mean_D l(p; c) + mean_D l(y; c v) + .6 sum_D max(y - p, 0)

    The conversion head reads two-token attention over its own tower and ReLU(Linear(CTR tower)).
    With `head=cvr`: mean_D [c l(q; v)] and c max(q - p, 0) instead.
    """

    name = "aitm"
    summary = "CTR tower transferred to the conversion tower by attention; pCTCVR <= pCTR enforced"
    reference = "Xi et al., Sequential Dependence among Multi-step Conversions (AITM), KDD 2021"
    expect = (
        "pCTCVR is learned directly and is right; pCVR = pCTCVR / pCTR has the errors of both. "
        "WARNING: `aitm/evi_repo` pushes pCVR below pCTR, for which there is no reason; "
        "`aitm/cvr_head` is that head without the constraint, and as biased as `naive`."
    )
    Config = AitmConfig
    variants = {
        "cvr_head": {"head": "cvr", "constraint_weight": 0.0},
        "evi_repo": {"head": "cvr", "constraint_reduction": "mean"},
    }
    # With fresh weights pCTCVR is at its base rate, far below pCTR.
    contract = Contract(flat_at_start=("constraint",))

    @staticmethod
    def start(config: AitmConfig, rates: BaseRates) -> dict[str, float]:
        conversion = rates.cvr if config.head == "cvr" else rates.ctr * rates.cvr
        return {"ctr": rates.ctr, config.head: conversion}

    def build(self, rates: BaseRates) -> None:
        width, config = self.embedding.width, self.network
        self.net = HeadNetwork(width, self.start(self.config, rates), config, self.kind)
        dim = config.tower[-1] if config.tower else self.net.backbone.width
        self.transfer = CausalTransfer(dim, dim, bias=False, dropout=config.dropout)

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        heads = cast("dict[str, Head]", self.net.heads)
        click, conversion = (
            head.tower(representation)
            for head, representation in zip(heads.values(), self.net.backbone(x), strict=True)
        )
        tops = {"ctr": click, self.config.head: self.transfer(click, conversion)}
        return Outputs(
            {name: full_precision(heads[name].last(top).squeeze(1)) for name, top in tops.items()}
        )

    @staticmethod
    def terms(config: AitmConfig, outputs: Outputs, labels: Labels) -> Terms:
        click, conversion = labels
        ctr, head = outputs.logits["ctr"], outputs.logits[config.head]
        loss = cross_entropy(head, click * conversion)
        excess = F.relu(head.sigmoid() - ctr.sigmoid())
        if config.head == "cvr":
            loss, excess = click * loss, click * excess
        summed = config.constraint_reduction == "sum"
        entire = config.head == "ctcvr"
        space = "entire" if entire else "clicked, over the size of the batch"
        return {
            "ctr": Term(ctr_loss(ctr, click), config.ctr_weight, "entire"),
            config.head: Term(mean_entire(loss), config.conversion_weight, space),
            "constraint": Term(
                total(excess) if summed else mean_entire(excess),
                config.constraint_weight,
                "entire" if entire else "clicked",
            ),
        }

    @staticmethod
    def serve(config: Any, outputs: Outputs) -> Prediction:
        """pCVR = pCTCVR / pCTR in logs; where that is 1 or more, both are capped."""
        ctr = outputs.logits["ctr"]
        if config.head == "cvr":
            return Prediction(ctr, outputs.logits["cvr"])
        log_ctr, log_ctcvr = F.logsigmoid(ctr), F.logsigmoid(outputs.logits["ctcvr"])
        log_cvr = (log_ctcvr - log_ctr).clamp(max=LOG_CVR_MAX)
        cvr = log_cvr - (-log_cvr.expm1()).log()
        return Prediction(ctr, cvr, log_ctcvr.minimum(log_ctr + LOG_CVR_MAX))
