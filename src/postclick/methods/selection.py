"""A selection model: what no feature shows may drive both clicks and conversions."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.data.prepared import BaseRates
from postclick.latent import LatentName, latent
from postclick.linear.profile import CUT
from postclick.linear.selection import Coefficients
from postclick.losses import Term, Terms, cross_entropy, ctr_loss, mean_entire
from postclick.losses.selection import logit_given_click, marginal_logit
from postclick.methods.click_prior import ClickPrior, ClickPriorConfig, Stages
from postclick.methods.contract import Contract
from postclick.methods.fitted import Fitting, Tensors
from postclick.methods.linear import CTR, CVR
from postclick.methods.linear_rows import Columns
from postclick.methods.outputs import Labels, Outputs
from postclick.methods.prediction import Prediction
from postclick.methods.selection_fit import LIMITS, DependenceSearch, selection_rows
from postclick.ranges import READING

# The third number of an embedding: the click score of a plain regression, a covariate of CVR.
SCORE = 2
DEPENDENCE = "dependence"
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
        folds, ctr_variance, variance: as of `click_prior`; the folds hold out rows for s, too.
    """

    unsearched = {"dependence": READING, "latent": READING}

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

    1. The stages of `click_prior`: variances, the CTR score held out.
    2. For each s, the mode of the joint likelihood on all folds but one, judged on that one. Where
       its sum is greatest is the estimate; the interval is a likelihood ratio's.
    3. The mode at that s on all rows.

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
    def outputs(cls, config: Any) -> int:
        return 3

    @classmethod
    def all_heads(cls, config: Any, rates: BaseRates) -> dict[str, float]:
        found = cls.start(config, rates)
        return found if config.dependence is not None else {**found, DEPENDENCE: 0.5}

    def build(self, rates: BaseRates) -> None:
        super().build(rates)
        if self.config.dependence is None:
            self.dependence = nn.Parameter(torch.zeros(1))
            # Estimate, ends of the interval, and how much likelihood s = 0 loses.
            self.register_buffer("dependence_interval", torch.zeros(4))
        # ln of the share of unclicked impressions among the rows that it was fitted to.
        self.register_buffer("log_kept", torch.zeros(1))

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        found = self.linear(x)
        effect, _, centre = self.get_buffer("ctr_effect")
        ctr = found[:, CTR]
        cvr = found[:, CVR] + effect * (found[:, SCORE] - centre)
        logits = {"ctr": ctr, "cvr": cvr}
        if self.config.dependence is None:
            logits[DEPENDENCE] = self.dependence + torch.zeros_like(ctr)
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
        of_clicks = self.columns(exposed=True)
        exposures = np.s_[of_clicks.values : of_clicks.sparse]
        score = np.delete(stages.clicks["coefficients"].numpy(), exposures)
        self.take(SCORE, self.columns(exposed=False), score)
        if self.exposure is None:
            fitting.reporter.line(WITHOUT_EXPOSURE)
        found = fitting.stage("selection", lambda: self._selection(fitting, stages))
        of_conversions = self._of_conversions(stages)
        self.take(CTR, of_clicks, found["selection"].numpy())
        self.take(CVR, of_conversions, found["outcome"].numpy())
        if of_conversions.further:
            self.get_buffer("ctr_effect")[0] = found["outcome"][of_conversions.own.start]
        self.get_buffer("log_kept").fill_(self.ctr_shift)
        if self.config.dependence is None:
            self.dependence.fill_(float(found["interval"][0]))
            self.get_buffer("dependence_interval").copy_(found["interval"])
        fitting.reporter.line(self.statement)

    @property
    def dependence_found(self) -> tuple[float, float, float] | None:
        if self.config.dependence is not None:
            return None
        best, low, high, _ = self.get_buffer("dependence_interval").tolist()
        return best, low, high

    @property
    def statement(self) -> str:
        """What the log says of the dependence."""
        if self.config.dependence is not None:
            return f"dependence s = {self.config.dependence:g}, as set"
        best, low, high, at_zero = self.get_buffer("dependence_interval").tolist()
        least = f"{low:.2f}" if isfinite(low) else f"below {LIMITS[0]:g}"
        most = f"{high:.2f}" if isfinite(high) else f"above {LIMITS[1]:g}"
        rejected = "s = 0 rejected" if at_zero > CUT else "s = 0 not rejected"
        return f"dependence s = {best:.2f} ({least} to {most}), {rejected}"

    def _of_conversions(self, stages: Stages) -> Columns:
        return self.columns(exposed=False, further=0 if stages.covariate is None else 1)

    def _selection(self, fitting: Fitting, stages: Stages) -> Tensors:
        """The dependence, if it is not fixed, and the mode at it."""
        search = self.search(fitting, stages)
        s, interval = self.config.dependence, None
        if s is None:
            fitting.reporter.line(f"dependence: likelihood of {self.config.folds} held-out folds")
            found = search.profile(fitting.reporter)
            s = found.best
            interval = torch.tensor([found.best, found.low, found.high, found.at_zero])
        mode = search.mode(s)
        tensors = {
            "selection": torch.from_numpy(mode.selection),
            "outcome": torch.from_numpy(mode.outcome),
        }
        return tensors if interval is None else {**tensors, "interval": interval}

    def search(self, fitting: Fitting, stages: Stages) -> DependenceSearch:
        """The joint likelihood of the training split, with priors from the stages."""
        config = self.config
        of_clicks, of_conversions = self.columns(exposed=True), self._of_conversions(stages)
        clicks, _, conversions = stages
        centre = float(conversions["ctr_effect"][2])
        further = None if stages.covariate is None else (stages.covariate - centre)[:, None]
        return DependenceSearch(
            selection_rows(
                fitting.log,
                of_clicks,
                of_conversions,
                further,
                folds=config.folds,
                log_kept=self.ctr_shift,
                seed=fitting.seed,
            ),
            (of_clicks.groups(0.0), of_conversions.groups(config.ctr_variance)),
            (clicks["variances"].numpy(), conversions["variances"].numpy()),
            Coefficients(clicks["coefficients"].numpy(), conversions["coefficients"].numpy()),
            latent(config.latent),
            config.folds,
            fitting.threads,
        )


def _dependence(config: Any, outputs: Outputs) -> float | Tensor:
    fixed: float | None = config.dependence
    return outputs.logits[DEPENDENCE] if fixed is None else fixed
