"""A selection model: what no feature shows may drive both clicks and conversions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.data.manifest import Manifest
from postclick.data.prepared import BaseRates
from postclick.latent import LatentName, latent
from postclick.linear.likelihood_ratio import Profile
from postclick.losses import Term, Terms, cross_entropy, ctr_loss, mean_entire
from postclick.losses.selection import logit_given_click, marginal_logit
from postclick.methods.click_prior import ClickPrior, ClickPriorConfig, Stages
from postclick.methods.contract import Contract
from postclick.methods.dependence import Dependence
from postclick.methods.explanation import Explanation
from postclick.methods.fitted import Fitting, Tensors
from postclick.methods.linear import CTR, CVR
from postclick.methods.linear_columns import Columns
from postclick.methods.outputs import Labels, Outputs
from postclick.methods.prediction import Prediction
from postclick.ranges import READING

if TYPE_CHECKING:
    from postclick.methods.selection_fit import DependenceSearch

DEPENDENCE = "dependence"
# No profile tries more.
MOST_VALUES = 32
WITHOUT_EXPOSURE = (
    "warning: the log has no exposure, a column that moves clicks alone such as a position: the "
    "dependence is then told by functional form alone"
)


class SelectionConfig(ClickPriorConfig):
    """Options of `selection`.

    Attributes:
        dependence: s, how much of what no feature shows and moves clicks also moves conversions;
            None profiles it.
        latent: the distribution of what no feature shows; two-point and skewed ones are checks.
        folds, score_variance, variance: as of `click_prior`; the folds hold out rows for s, too.
        factors: 0, for products of values have no part in this model.
    """

    search = {name: space for name, space in ClickPriorConfig.search.items() if name != "factors"}
    unsearched = {"dependence": READING, "latent": READING, "factors": READING}

    factors: Literal[0] = 0
    dependence: float | None = Field(default=None, ge=-5, le=5)
    latent: LatentName = "normal"


class Selection(ClickPrior):
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
    4. b at that s on all clicked impressions.

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
    shared_heads = (DEPENDENCE,)
    rate_by_exposure = True
    variants = {"no_dependence": {"dependence": 0.0}}
    contract = Contract(drops={"no_dependence": ()})
    config: SelectionConfig

    @classmethod
    def all_heads(cls, config: Any, rates: BaseRates) -> dict[str, float]:
        found = cls.start(config, rates)
        return found if config.dependence is not None else {**found, DEPENDENCE: 0.5}

    @classmethod
    def differs_on_clicks(cls, config: Any) -> bool:
        return bool(config.dependence != 0)

    def build(self, rates: BaseRates) -> None:
        super().build(rates)
        if self.config.dependence is None:
            self.dependence = nn.Parameter(torch.zeros(1))
            # Estimate, ends of the interval, and how much likelihood s = 0 loses.
            self.register_buffer("dependence_interval", torch.zeros(4))
            # Values that were tried, and how much likelihood each loses; infinite beyond the last.
            self.register_buffer("dependence_profile", torch.full((2, MOST_VALUES), torch.inf))
        # That of a CTR score where nothing is hidden; `score_effect` has what is served.
        self.register_buffer("plain_score_effect", torch.zeros(3))
        # ln of the share of unclicked impressions among the rows that it was fitted to.
        self.register_buffer("log_kept", torch.zeros(1))

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        logits = dict(super().heads(x, serving=serving).logits)
        if self.config.dependence is None:
            logits[DEPENDENCE] = self.dependence + torch.zeros_like(logits["ctr"])
        return Outputs(logits)

    @staticmethod
    def terms(config: Any, outputs: Outputs, labels: Labels) -> Terms:
        """The likelihood of all impressions in two parts: clicks, and conversions given a click."""
        click, conversion = labels
        a, b, over = outputs.logits["ctr"], outputs.logits["cvr"], latent(config.latent)
        given = logit_given_click(a, b, _dependence(config, outputs), over)
        return {
            "ctr": Term(ctr_loss(marginal_logit(a, over=over), click), 1.0, "entire"),
            "cvr": Term(mean_entire(click * cross_entropy(given, conversion)), 1.0, "clicked"),
        }

    @staticmethod
    def serve(config: Any, outputs: Outputs) -> Prediction:
        over, s = latent(config.latent), _dependence(config, outputs)
        return Prediction(
            marginal_logit(outputs.logits["ctr"], over=over),
            marginal_logit(outputs.logits["cvr"], s, over),
        )

    def _predicted(self, batch: Batch, ctr_shift: float) -> Prediction:
        outputs = self.serving_outputs(batch)
        found = self.serve(self.config, outputs)
        # It was fitted to the impressions that there were before any were left out.
        shift = ctr_shift - self.get_buffer("log_kept")
        if self.exposure is None:
            return Prediction(found.ctr + shift, found.cvr)
        over = latent(self.config.latent)

        def link(logit: Tensor) -> Tensor:
            return marginal_logit(logit, over=over) + shift

        return Prediction(
            self.exposure("ctr", outputs.logits["ctr"], batch.exposure, link), found.cvr
        )

    def given_click(self, batch: Batch) -> Tensor:
        outputs = self(batch)
        return logit_given_click(
            outputs.logits["ctr"],
            outputs.logits["cvr"],
            _dependence(self.config, outputs),
            latent(self.config.latent),
        )

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
        if self.config.dependence is None:
            self.dependence.fill_(float(found["interval"][0]))
            self.get_buffer("dependence_interval").copy_(found["interval"])
            tried = found["profile"]
            self.get_buffer("dependence_profile")[:, : tried.shape[1]] = tried
        fitting.reporter.line(self.statement)

    @property
    def dependence_found(self) -> tuple[float, float, float] | None:
        if self.config.dependence is not None:
            return None
        best, low, high, _ = self.get_buffer("dependence_interval").tolist()
        return best, low, high

    @property
    def dependence_told(self) -> Dependence:
        """The dependence that is served, and what the log says of it."""
        if self.config.dependence is not None:
            return Dependence(self.config.dependence, None)
        tried = self.get_buffer("dependence_profile")
        at, loss = (tuple(row[row.isfinite()].tolist()) for row in tried)
        ends = self.get_buffer("dependence_interval").tolist()
        return Dependence(self.dependence.item(), Profile(at, loss, *ends))

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
        search = self.search(fitting, stages, clicks)
        s = self.config.dependence
        if s is not None:
            return {"coefficients": torch.from_numpy(search.mode(s))}
        fitting.reporter.line(f"dependence: likelihood of {self.config.folds} held-out folds")
        found = search.profile(fitting.reporter)
        return {
            "coefficients": torch.from_numpy(search.mode(found.best)),
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


def _dependence(config: Any, outputs: Outputs) -> float | Tensor:
    fixed: float | None = config.dependence
    return outputs.logits[DEPENDENCE] if fixed is None else fixed
