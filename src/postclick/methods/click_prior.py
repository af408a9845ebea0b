"""Empirical-Bayes logistic regression of conversions, which knows how likely a click was."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from postclick.data.prepared import BaseRates
from postclick.linear.posterior import fit_mode
from postclick.linear.rows import Floats
from postclick.linear.standard_error import standard_error
from postclick.methods.contract import Contract
from postclick.methods.fitted import Fitting, Tensors
from postclick.methods.linear import CTR, CVR, VARIANCE_ROWS, LinearMethod, fitted
from postclick.methods.linear_rows import (
    ClickBlocks,
    Columns,
    clicked_rows,
    conversion_blocks,
)
from postclick.methods.options import MethodConfig
from postclick.methods.outputs import Outputs
from postclick.ranges import Choice


class ClickPriorConfig(MethodConfig):
    """Options of `click_prior`.

    Attributes:
        folds: parts of the training rows; the CTR score of each is that of a fit to the others.
        ctr_variance: prior variance of what the CTR score is multiplied by; 0 leaves it out.
        variance: prior variance of all coefficients; None estimates one for each field.
    """

    search = {
        "folds": Choice((3, 5, 10)),
        "ctr_variance": Choice((0.0, 1.0)),
        "variance": Choice((None, 0.03, 0.1, 0.3)),
    }

    folds: int = Field(default=5, ge=2, le=50)
    ctr_variance: float = Field(default=1.0, ge=0)
    variance: float | None = Field(default=None, gt=0)


class Stages(NamedTuple):
    """What the stages found: tensors of two of them, CTR scores `(clicks,)` of the one between."""

    clicks: Tensors
    covariate: Floats | None
    conversions: Tensors


class ClickPrior(LinearMethod[ClickPriorConfig]):
    r"""Logistic regressions of clicks and conversions whose priors the data choose.

    Every value of every field has a coefficient with a Gaussian prior, and every field a variance
    of its own, under which the data are most probable: fields that say nothing of conversions
    vanish, whatever their number of values, and what is left is not overfitted to few conversions.

    1. Clicks on all impressions: z = b + sum of the row's coefficients.
    2. z of each training row from a fit to the other folds, for an in-sample z would be too good.
    3. Conversions on clicked impressions, with (z - its mean on clicks) as one more covariate, of
       prior N(0, 1): what all impressions tell about a value, few of whose clicks are seen.

    The coefficient of z says how clicking and converting hang together: `Run.explain`.

    Source: empirical Bayes by EM (Dempster, Laird and Rubin, 1977) and by the evidence (MacKay,
    1992), cross-fitting (Chernozhukov et al., 2018); put together here.
    """

    name = "click_prior"
    summary = "empirical-Bayes logistic regressions; the CTR score is a covariate of CVR"
    reference = "postclick; evidence approximation: MacKay, Neural Computation 4, 1992"
    expect = (
        "few conversions used well: ahead of networks until conversions are many or hang on "
        "combinations of values that no field shows alone; like naive, it is biased where an "
        "unseen cause drives both clicks and conversions."
    )
    Config = ClickPriorConfig
    variants = {"no_ctr": {"ctr_variance": 0.0}, "one_variance": {"variance": 0.1}}
    contract = Contract(drops={"no_ctr": ()})

    def build(self, rates: BaseRates) -> None:
        super().build(rates)
        groups = self.columns(exposed=True).groups(1.0).number
        self.register_buffer("ctr_variances", torch.zeros(groups))
        groups = self.columns(exposed=False).groups(1.0).number
        self.register_buffer("cvr_variances", torch.zeros(groups))
        # What the CTR score is multiplied by, its standard error, and the mean taken from it.
        self.register_buffer("ctr_effect", torch.zeros(3))

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        found = self.linear(x)
        effect, _, centre = self.get_buffer("ctr_effect")
        ctr, cvr = found[:, CTR], found[:, CVR]
        # `ctr` has no exposure yet: what moves clicks alone says nothing of conversions.
        return Outputs({"ctr": ctr, "cvr": cvr + effect * (ctr - centre)})

    def fit(self, fitting: Fitting) -> None:
        self.fit_stages(fitting)

    def fit_stages(self, fitting: Fitting) -> Stages:
        """Set all weights, and say from what."""
        clicks = fitting.stage("clicks", lambda: self._clicks(fitting))
        found = clicks["coefficients"].numpy()
        self.take(CTR, self.columns(exposed=True), found)
        self.get_buffer("ctr_variances").copy_(clicks["variances"])
        covariate = None
        if self.config.ctr_variance:
            held_out = fitting.stage("held_out", lambda: self._held_out(fitting, clicks))
            covariate = held_out["scores"].numpy()
        conversions = fitting.stage("conversions", lambda: self._conversions(fitting, covariate))
        columns = self.columns(exposed=False, further=0 if covariate is None else 1)
        self.take(CVR, columns, conversions["coefficients"].numpy())
        self.get_buffer("cvr_variances").copy_(conversions["variances"])
        self.get_buffer("ctr_effect").copy_(conversions["ctr_effect"])
        return Stages(clicks, covariate, conversions)

    def _clicks(self, fitting: Fitting) -> Tensors:
        """The regression of clicks on all impressions."""
        columns = self.columns(exposed=True)
        fitting.reporter.line("clicks: variances and coefficients")
        found = fitted(
            ClickBlocks(fitting.log, columns),
            columns.groups(0.0),
            self._start(columns, CTR),
            variance=self.config.variance,
            sample=ClickBlocks(fitting.log, columns, rows=VARIANCE_ROWS),
            threads=fitting.threads,
        )
        return {
            "coefficients": torch.from_numpy(found.coefficients),
            "variances": torch.from_numpy(found.variances),
        }

    def _held_out(self, fitting: Fitting, clicks: Tensors) -> Tensors:
        """CTR scores of the clicked training rows, each from a fit to the other folds."""
        folds = self.config.folds
        columns, plain = self.columns(exposed=True), self.columns(exposed=False)
        fitting.reporter.line(f"clicks: {folds} folds")
        coefficients = fit_mode(
            ClickBlocks(fitting.log, columns, folds=folds),
            columns.groups(0.0).prior(clicks["variances"].numpy()),
            clicks["coefficients"].numpy(),
            folds=folds,
            tolerance=1e-8,
            threads=fitting.threads,
        )
        kept = np.delete(coefficients, np.s_[columns.values : columns.sparse], axis=0)
        rows, number = clicked_rows(fitting.log)
        blocks = conversion_blocks(rows, plain, np.zeros((len(rows), 0)))
        scores = np.concatenate([block.times(kept) for block in blocks])
        return {"scores": torch.from_numpy(scores[np.arange(len(rows)), number % folds])}

    def _conversions(self, fitting: Fitting, score: Floats | None) -> Tensors:
        """The regression of conversions on clicked impressions."""
        rows, _ = clicked_rows(fitting.log)
        fitting.reporter.line(f"conversions: {len(rows):,} clicked impressions")
        centre, further = 0.0, np.zeros((len(rows), 0))
        if score is not None:
            weight = None if rows.weight is None else rows.weight.numpy()
            centre = float(np.average(score, weights=weight))
            further = (score - centre)[:, None]
        columns = self.columns(exposed=False, further=further.shape[1])
        groups = columns.groups(self.config.ctr_variance)
        blocks = conversion_blocks(rows, columns, further)
        found = fitted(
            blocks,
            groups,
            self._start(columns, CVR),
            variance=self.config.variance,
            threads=fitting.threads,
        )
        effect = [0.0, 0.0, centre]
        if score is not None:
            place = columns.own.start
            prior = groups.prior(found.variances)
            effect[0] = float(found.coefficients[place])
            effect[1] = standard_error(blocks, prior, found.coefficients, place)
        return {
            "coefficients": torch.from_numpy(found.coefficients),
            "variances": torch.from_numpy(found.variances),
            "ctr_effect": torch.tensor(effect),
        }

    def _start(self, columns: Columns, output: int) -> Floats:
        """Nothing but the base rate."""
        start = np.zeros(columns.total)
        start[-1] = float(self.linear.intercepts[output])
        return start
