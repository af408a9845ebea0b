"""DT-DR: doubly robust CVR, and a propensity that reads an embedding of its own besides."""

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from postclick.data.batch import Batch
from postclick.data.prepared import BaseRates
from postclick.losses import (
    DoublyRobust,
    LogPropensity,
    Term,
    Terms,
    cross_entropy,
    ctr_loss,
    mean_entire,
    pseudo_label,
    shares,
)
from postclick.methods.base import Contract, Labels, Method, Outputs, PropensityConfig, Step, Weight
from postclick.methods.imputation import EmbeddedNetwork
from postclick.nn.heads import HeadNetwork
from postclick.ranges import READING, UNIT, WEIGHT

# What is disentangled: embeddings of the id columns and lists, two of [n, columns, dim].
PARTS = "embeddings"


class DtDrConfig(PropensityConfig):
    """Options of DT-DR.

    Attributes:
        imputation_weight: weight of the squared term, a mean over all impressions as in the other
            doubly robust methods; the authors' code takes a mean over clicks.
        orthogonality_weight: weight of the penalty on the two embeddings. The authors' code takes
            sums over the rows of a batch where means of products stand here.
        attach: `none` trains each head by its own term; `all`, as released, stops no gradient.
        detach_propensity: `False` lets the weighted losses train the propensity.
    """

    search = {
        **PropensityConfig.search,
        "cvr_weight": WEIGHT,
        "imputation_weight": WEIGHT,
        "orthogonality_weight": WEIGHT,
    }
    unsearched = {
        **PropensityConfig.unsearched,
        "ctr_weight": UNIT,
        "attach": READING,
    }

    ctr_weight: float = Weight
    cvr_weight: float = Weight
    imputation_weight: float = Weight
    orthogonality_weight: float = Field(default=0.1, ge=0)
    attach: Literal["none", "all"] = "none"


def orthogonality(parts: tuple[Tensor, Tensor], click: Tensor) -> Tensor:
    """How far two embeddings of the same columns are from orthogonal, over all rows and clicks.

    For each column f, with A_f, B_f its embeddings [n, dim] and the mean over rows, all or
    clicked: mean_ij (mean_n A_fi B_fj)^2 + mean (A_f, B_f)^2, summed over the columns.

    Args:
        parts: A and B, [n, columns, dim] each.

    >>> a, b = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])
    >>> orthogonality((a, b), torch.zeros(1)), orthogonality((a, a), torch.zeros(1))
    (tensor(0.7500), tensor(0.7500))
    """
    a, b = parts
    found = []
    for mask in (torch.ones_like(click), click):
        share = shares(mask)
        products = torch.einsum("n,nfi,nfj->fij", share, a, b)
        sizes = torch.einsum("n,nf->f", share, (a.square() + b.square()).mean(2) / 2)
        found.append((products.square().mean((1, 2)) + sizes).sum())
    return found[0] + found[1]


def doubly_robust(config: DtDrConfig, outputs: Outputs, labels: Labels) -> DoublyRobust:
    """mean_D[m + (c / pi)(e - m)] and mean_D[(c / pi)(e - m)^2]."""
    attached = config.attach == "all"
    cvr, imputation = outputs.logits["cvr"], outputs.logits["imputation"]
    detach = config.detach_propensity and not attached
    pi = LogPropensity.of(outputs.logits["ctr"], config.clip, detach=detach)
    weight = labels.click * pi.inverse()
    error = cross_entropy(cvr, labels.conversion)
    imputed = cross_entropy(cvr, pseudo_label(imputation, detach=not attached))
    fixed = cvr if attached else cvr.detach()
    gap = (pseudo_label(imputation, detach=False) - labels.conversion) * fixed
    return DoublyRobust(
        mean_entire(imputed + weight * (error - imputed)), mean_entire(weight * gap.square())
    )


class DtDr(Method[DtDrConfig]):
    """Disentangled doubly robust learning.

    Two embeddings of the features, A and B, and a third for a, the imputed conversion label:
    q reads A, p reads A and B. e = l(q; v), m = l(q; sg(a)), pi = clipped, detached p:

        L = mean_D l(p; c) + mean_D[m + (c / pi)(e - m)] + mean_D[(c / pi)(e - m)^2]
          + w_o {R(D) + R(C)}

        R(S) = sum over columns f of mean_ij (mean_S A_fi B_fj)^2 + mean_S (A_f, B_f)^2

    where the squared term trains a only. Nothing is detached with attach=all.
    """

    name = "dt_dr"
    summary = "doubly robust CVR beside a propensity with an embedding of its own, kept orthogonal"
    reference = "authors' code of DT-DR (haoxuanli-pku/ICDE24-MNAR), ICDE 2024; not the paper"
    expect = (
        "right where either the propensity or the imputed label is, as other doubly robust losses. "
        "Nothing more: B is an embedding of the same features and no instrument, so that a cause "
        "that no feature shows biases it as it biases `naive` (the hidden column of docs/audit.md)."
        " WARNING: `dt_dr/released` stops no gradient: in the audit its pCVR ends 18 % too low to "
        "52 % too high and its pCTR whole logits off."
    )
    Config = DtDrConfig
    contract = Contract(drops={"no_orthogonality": ("orthogonality",)})
    variants = {
        "no_orthogonality": {"orthogonality_weight": 0.0},
        "released": {"attach": "all", "clip": (0.05, 1 - 1e-7), "ctr_weight": 0.5},
    }

    @staticmethod
    def start(config: Any, rates: BaseRates) -> dict[str, float]:
        return {"ctr": rates.ctr, "cvr": rates.cvr, "imputation": rates.cvr}

    def build(self, rates: BaseRates) -> None:
        start, width = self.start(self.config, rates), self.embedding.width
        self.auxiliary = self.new_embedding()
        self.net = HeadNetwork(width, {"cvr": start["cvr"]}, self.network, self.kind)
        self.click_net = HeadNetwork(2 * width, {"ctr": start["ctr"]}, self.network, self.kind)
        self.imputation = EmbeddedNetwork(
            self.new_embedding(), {"imputation": start["imputation"]}, self.network, self.kind
        )

    @classmethod
    def extras(cls, config: DtDrConfig) -> tuple[str, ...]:
        """`embeddings`: A and B, [n, columns, dim] each."""
        return (PARTS,) if config.orthogonality_weight else ()

    def forward(self, batch: Batch, step: Step = Step()) -> Outputs:  # noqa: B008
        a, b, outputs = self._served(batch)
        logits = {**outputs.logits, **self.imputation(batch)}
        if not self.config.orthogonality_weight:
            return Outputs(logits)
        return Outputs(logits, {PARTS: (self._columns(a), self._columns(b))})

    def serving_outputs(self, batch: Batch) -> Outputs:
        return self._served(batch)[2]

    def _served(self, batch: Batch) -> tuple[Tensor, Tensor, Outputs]:
        a = self.embed(batch)
        b: Tensor = self.auxiliary(batch.ids, batch.numeric, batch.bags)
        ctr = self.click_net(torch.cat([a, b], dim=1))["ctr"].logit
        return a, b, Outputs({"ctr": ctr, "cvr": self.net(a)["cvr"].logit})

    def _columns(self, x: Tensor) -> Tensor:
        """The embedded columns, which come first in x, [n, columns, dim]; numbers have none."""
        dim = self.embedding.dim
        columns = self.embedding.columns
        return x[:, : columns * dim].reshape(len(x), columns, dim)

    @staticmethod
    def terms(config: DtDrConfig, outputs: Outputs, labels: Labels) -> Terms:
        found = doubly_robust(config, outputs, labels)
        corrected = "entire with the imputed label, corrected on clicked with weight 1/pi"
        clicks = ctr_loss(outputs.logits["ctr"], labels.click)
        terms = {
            "ctr": Term(clicks, config.ctr_weight, "entire"),
            "cvr": Term(found.cvr, config.cvr_weight, corrected),
            "imputation": Term(found.imputation, config.imputation_weight, "clicked, weight 1/pi"),
        }
        if PARTS in outputs.extra:
            penalty = orthogonality(outputs.extra[PARTS], labels.click)
            terms["orthogonality"] = Term(penalty, config.orthogonality_weight, "entire")
        return terms
