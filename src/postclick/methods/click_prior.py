"""Empirical-Bayes logistic regression of conversions, which knows how likely a click was."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from postclick.data.manifest import Manifest
from postclick.data.prepared import BaseRates
from postclick.methods.contract import Contract
from postclick.methods.explanation import Explanation, field_effects, group_names
from postclick.methods.fitted import Fitting, Tensors
from postclick.methods.linear import CTR, CVR, LinearMethod
from postclick.methods.linear_columns import Columns
from postclick.methods.networks.linear_heads import STARTS
from postclick.methods.options import MethodConfig
from postclick.methods.outputs import Outputs
from postclick.ranges import Choice
from postclick.stats.interval import normal_quantile


class ClickPriorConfig(MethodConfig):
    """Options of `click_prior`.

    Attributes:
        folds: parts of the training rows; the CTR score of each is that of a fit to the others.
        score_variance: prior variance of what the CTR score is multiplied by; 0 leaves it out.
        variance: prior variance of all coefficients; None estimates one for each field.
        factors: numbers of each value whose products with those of other values add to the
            conversion's logit, if cross-validation on clicks finds that they help; 0 for none.
    """

    search = {
        "folds": Choice((3, 5, 10)),
        "score_variance": Choice((0.0, 1.0)),
        "variance": Choice((None, 0.03, 0.1, 0.3)),
        "factors": Choice((0, 4)),
    }

    folds: int = Field(default=5, ge=2, le=50)
    score_variance: float = Field(default=1.0, ge=0)
    variance: float | None = Field(default=None, gt=0)
    factors: int = Field(default=4, ge=0, le=32)


class Stages(NamedTuple):
    """What the three regressions found, see `LinearFit`.

    Attributes:
        score: `scores`, CTR scores of the clicked rows from other folds; None where they have no
            part in conversions.
    """

    clicks: Tensors
    score: Tensors | None
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

    L = mean_D l(z; c) + mean_C l(w; v) and the priors' part, w being the conversion's logit, D all
    impressions, C clicked ones. The coefficient of z says how clicking and converting hang
    together: `Run.explain`.

    With `factors`, products of values are added where 3-fold cross-validation on clicks finds that
    they predict (Rendle, Factorization machines, 2010), the mean of four starts.

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
    Config: ClassVar[type[MethodConfig]] = ClickPriorConfig
    variants = {
        "no_ctr": {"score_variance": 0.0},
        "one_variance": {"variance": 0.1},
        "no_factors": {"factors": 0},
    }
    contract = Contract(drops={"no_ctr": (), "no_factors": ()})

    @classmethod
    def outputs(cls, config: ClickPriorConfig) -> int:
        return 2 + STARTS * config.factors

    def build(self, rates: BaseRates) -> None:
        super().build(rates)
        # The variance that cross-validation has chosen for factors, 0 for none.
        self.register_buffer("factor_variance", torch.zeros(1))
        clicks, conversions = (
            Columns.of(self.inputs, exposed=exposed) for exposed in (True, False)
        )
        for head, columns in (("ctr", clicks), ("cvr", conversions)):
            groups = columns.groups(0.0).number
            self.register_buffer(f"{head}_variances", torch.zeros(groups))
            self.register_buffer(f"{head}_spreads", torch.zeros(groups))
        # What the CTR score is multiplied by, its standard error, and the mean taken from it.
        self.register_buffer("score_effect", torch.zeros(3))

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        found = self.linear(x)
        effect, _, centre = self.get_buffer("score_effect")
        ctr, cvr = found[:, CTR], found[:, CVR]
        # `ctr` has no exposure yet: what moves clicks alone says nothing of conversions.
        cvr = cvr + effect * (ctr - centre)
        if self.config.factors:
            cvr = cvr + self.linear.products(x, 2, self.config.factors)
        return Outputs({"ctr": ctr, "cvr": cvr})

    def fit(self, fitting: Fitting) -> None:
        self.fit_stages(fitting)

    def fit_stages(self, fitting: Fitting) -> Stages:
        """Set all weights, and say from what."""
        # Here, for it loads SciPy, which nothing else of a method needs.
        from postclick.methods.linear_fit import LinearFit

        config, told = self.config, fitting.reporter.line
        fit = LinearFit(
            fitting.log, self.inputs, self.rates, config.variance, threads=fitting.threads
        )
        told("clicks on all impressions")
        clicks = fitting.stage("clicks", fit.clicks)
        held_out = score = None
        if config.score_variance:
            told(f"clicks, without one of {config.folds} folds each")
            held_out = fitting.stage("held_out", lambda: fit.held_out(clicks, config.folds))
            score = held_out["scores"].numpy()
        told("conversions on clicked impressions")
        conversions = fitting.stage(
            "conversions",
            lambda: fit.conversions(score, config.score_variance, config.factors, fitting.seed),
        )
        stages = Stages(clicks, held_out, conversions)
        self._take_stages(stages)
        return stages

    def _take_stages(self, stages: Stages) -> None:
        clicks, score, conversions = stages
        columns = Columns.of(self.inputs, exposed=False, further=0 if score is None else 1)
        self.take(CTR, Columns.of(self.inputs, exposed=True), clicks["coefficients"])
        self.take(CVR, columns, conversions["coefficients"])
        if self.config.factors:
            for number, one in enumerate(conversions["factors"].T.contiguous()):
                self.take(2 + number, columns, one)
            self.get_buffer("factor_variance").copy_(conversions["factor_variance"])
        for head, found in (("ctr", clicks), ("cvr", conversions)):
            for name in ("variances", "spreads"):
                self.get_buffer(f"{head}_{name}").copy_(found[name])
        self.get_buffer("score_effect").copy_(conversions["score_effect"])

    @property
    def explained_effect(self) -> Tensor:
        """The CTR score's coefficient, its standard error and the score's mean, [3]."""
        return self.get_buffer("score_effect")

    def explain(self, manifest: Manifest) -> Explanation:
        """Which fields carry clicks and conversions, and the coefficient of the CTR score."""
        fields = []
        for head in ("ctr", "cvr"):
            names = group_names(manifest, exposed=head == "ctr")
            numbers = (self.get_buffer(f"{head}_{n}").tolist() for n in ("variances", "spreads"))
            fields += field_effects(names, head, *numbers)
        products = float(self.get_buffer("factor_variance"))
        if not self.config.score_variance:
            return Explanation(tuple(fields), None, None, None, products)
        effect, error, _ = self.explained_effect.tolist()
        reach = normal_quantile(0.95) * error
        return Explanation(tuple(fields), effect, effect - reach, effect + reach, products)
