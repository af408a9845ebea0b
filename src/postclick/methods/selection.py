"""A selection model: what no feature shows may drive both clicks and conversions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field
from torch import Tensor

from postclick.data.manifest import Manifest
from postclick.data.prepared import BaseRates
from postclick.latent import latent
from postclick.methods.click_prior import ClickPrior, ClickPriorConfig, Stages
from postclick.methods.contract import Contract
from postclick.methods.explanation import Explanation
from postclick.methods.fitted import Fitting, Tensors
from postclick.methods.latent_cause import LatentCause, LatentConfig
from postclick.methods.linear import CTR, CVR
from postclick.methods.linear_columns import Columns
from postclick.methods.outputs import Outputs
from postclick.ranges import READING

if TYPE_CHECKING:
    from postclick.methods.selection_fit import DependenceSearch

WITHOUT_EXPOSURE = (
    "warning: the log has no exposure, a column that moves clicks alone such as a position: the "
    "dependence is then told by functional form alone"
)


class SelectionConfig(LatentConfig, ClickPriorConfig):
    """Options of `selection`.

    Attributes:
        dependence, latent: s and u of the model; None profiles s.
        dependence_variance: prior variance of s. What is served is the posterior's mode, the
            interval is of the likelihood alone; None serves the best s by likelihood.
        folds, score_variance, variance: as of `click_prior`; the folds hold out rows for s, too.
        factors: 0, for products of values have no part in this model.
    """

    search = {name: space for name, space in ClickPriorConfig.search.items() if name != "factors"}
    unsearched = {
        "dependence": READING,
        "dependence_variance": READING,
        "latent": READING,
        "factors": READING,
    }

    factors: Literal[0] = 0
    dependence_variance: float | None = Field(default=0.5, gt=0)


class Selection(LatentCause[SelectionConfig], ClickPrior):
    r"""Clicks and conversions share a latent cause, whose strength is estimated with an interval.

    Of an impression, u ~ N(0, 1) is in no feature. With a and b linear in its features,

        P(no click) = E_u[1 - sigma(a + u)],
        P(click, v) = E_u[sigma(a + u) sigma(b + s u)^v (1 - sigma(b + s u))^(1 - v)],

    by 15 nodes of Gauss-Hermite quadrature. The exposure is a part of a and not of b: by it s is
    identified, for at a bad position only those click whose u is high. Served are
    pCTR = E_u sigma(a + u) and pCVR = E_u sigma(b + s u), the rate if everybody clicked; on clicked
    impressions more convert where s > 0.

        L = mean_D l(p; c) + mean_D[c l(P(v = 1 | click); v)],

    minus the log-likelihood of an impression: that of clicks, and of conversions given a click.
    Each is minimised in its turn, as in Heckman's two steps:

    1. The stages of `click_prior`: variances where nothing is hidden.
    2. a on all impressions, and on each clicked one from the other folds.
    3. Given that a, conversions for each s: the mode on all folds but one is judged on that one.
       Where the sum is greatest is the estimate; the interval is a likelihood ratio's. The part of
       a that is of features is a covariate of b, so that it is the exposure which tells s.
    4. With the prior s ~ N(0, `dependence_variance`), the mode of s; b at it on all clicked
       impressions. A log that says little of s leaves it near 0, one that says much where it is.

    `Outputs` has a as `ctr`, b as `cvr`, and s as `dependence`, unless it is fixed.

    Source: Heckman, Econometrica 47, 1979; van de Ven and van Praag, Journal of Econometrics 17,
    1981, for a binary outcome; with logistic links, priors and cross-fitting put together here.
    """

    name = "selection"
    summary = "a latent cause of clicks and conversions, its strength profiled; reads the exposure"
    reference = "Heckman, Econometrica 47, 1979; van de Ven, van Praag, J. Econometrics 17, 1981"
    expect = (
        "the only method that can be right where an unseen cause drives both clicks and "
        "conversions, if an exposure moves clicks alone and the latent is about normal; without "
        "an exposure it leans on functional form. pCVR is meant to be below the rate on clicks "
        "where s > 0: do not calibrate it on clicks."
    )
    Config = SelectionConfig
    variants = {"no_dependence": {"dependence": 0.0}}
    contract = Contract(drops={"no_dependence": ()})
    config: SelectionConfig

    def build(self, rates: BaseRates) -> None:
        super().build(rates)
        self.build_latent()
        # That of a CTR score where nothing is hidden; `score_effect` has what is served.
        self.register_buffer("plain_score_effect", torch.zeros(3))

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        return self.with_dependence(super().heads(x, serving=serving))

    def fit(self, fitting: Fitting) -> None:
        stages = self.fit_stages(fitting)
        if self.exposure is None:
            fitting.reporter.line(WITHOUT_EXPOSURE)
        clicks = fitting.stage("latent_clicks", lambda: self._latent_clicks(fitting, stages))
        found = fitting.stage("selection", lambda: self._selection(fitting, stages, clicks))
        of_conversions = self._of_conversions(stages)
        self.take(CTR, Columns.of(self.inputs, exposed=True), clicks["coefficients"])
        self.take(CVR, of_conversions, found["coefficients"])
        self.get_buffer("plain_score_effect").copy_(self.get_buffer("score_effect"))
        if of_conversions.further:
            effect = self.get_buffer("score_effect")
            effect[0] = found["coefficients"][of_conversions.own.start]
            effect[1] = 0.0  # its error is not known
            effect[2] = clicks["centre"][0]
        self.get_buffer("log_kept").fill_(self.ctr_shift)
        self.take_dependence(found)
        fitting.reporter.line(self.statement)

    @property
    def statement(self) -> str:
        """What the log says of the dependence."""
        return self.dependence_told.statement

    def explain(self, manifest: Manifest) -> Explanation:
        """What `click_prior` says, where nothing is hidden, and the dependence with its profile."""
        return replace(super().explain(manifest), dependence=self.dependence_told)

    @property
    def explained_effect(self) -> Tensor:
        """Of the regressions in which nothing is hidden, of which `explain` tells."""
        return self.get_buffer("plain_score_effect")

    def _of_conversions(self, stages: Stages) -> Columns:
        return Columns.of(self.inputs, exposed=False, further=0 if stages.score is None else 1)

    def _latent_clicks(self, fitting: Fitting, stages: Stages) -> Tensors:
        """Clicks beside the latent cause, which features and the exposure do not show."""
        from postclick.methods.selection_fit import fit_clicks

        columns = Columns.of(self.inputs, exposed=True)
        fitting.reporter.line(f"clicks beside a latent cause: {self.config.folds} folds")
        found = fit_clicks(
            fitting.log,
            columns,
            columns.groups(0.0).prior(stages.clicks["variances"].numpy()),
            stages.clicks["coefficients"].numpy(),
            latent(self.config.latent),
            folds=self.config.folds,
            log_kept=self.ctr_shift,
            seed=fitting.seed,
            threads=fitting.threads,
        )
        return {
            "coefficients": torch.from_numpy(found.coefficients),
            "held_out": torch.from_numpy(found.held_out),
            "score": torch.from_numpy(found.score),
            "centre": torch.tensor([found.centre]),
        }

    def _selection(self, fitting: Fitting, stages: Stages, clicks: Tensors) -> Tensors:
        """The dependence, if it is not fixed, and conversions at it."""
        from postclick.linear.profile import shrunk

        search = self.search(fitting, stages, clicks)
        s = self.config.dependence
        if s is not None:
            return {"coefficients": torch.from_numpy(search.mode(s))}
        fitting.reporter.line(f"dependence: likelihood of {self.config.folds} held-out folds")
        found = search.profile(fitting.reporter)
        variance = self.config.dependence_variance
        served = found.best if variance is None else shrunk(found, variance)
        return {
            "coefficients": torch.from_numpy(search.mode(served)),
            "served": torch.tensor([served]),
            "interval": torch.tensor([found.best, found.low, found.high, found.at_zero]),
            "profile": torch.tensor([found.at, found.loss]),
        }

    def search(self, fitting: Fitting, stages: Stages, clicks: Tensors) -> DependenceSearch:
        """Conversions of clicked training rows, with priors from the stages."""
        from postclick.methods.linear_rows import clicked_rows, conversion_blocks
        from postclick.methods.selection_fit import DependenceSearch

        config, columns = self.config, self._of_conversions(stages)
        rows, number = clicked_rows(fitting.log)
        score = (clicks["score"] - clicks["centre"]).numpy()[:, None]
        return DependenceSearch(
            conversion_blocks(rows, columns, score[:, : columns.further], number % config.folds),
            clicks["held_out"].numpy(),
            columns.groups(config.score_variance),
            stages.conversions["variances"].numpy(),
            stages.conversions["coefficients"].numpy(),
            latent(config.latent),
            config.folds,
            fitting.threads,
        )
