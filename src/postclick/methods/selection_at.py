"""Networks beside a latent cause of clicks and conversions whose strength is given."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor

from postclick.data.prepared import BaseRates
from postclick.losses import Term, Terms
from postclick.methods.contract import Contract
from postclick.methods.latent_cause import KEPT, LatentCause, LatentConfig
from postclick.methods.options import MethodConfig, Weight
from postclick.methods.outputs import Labels, Outputs
from postclick.methods.phases import Phase
from postclick.ranges import READING, UNIT, WEIGHT


class SelectionAtConfig(LatentConfig):
    """Options of `selection_at`.

    Attributes:
        dependence: s, which is held fixed; `selection` finds it.
        latent: the distribution of what no feature shows; two-point and skewed ones are checks.
        ctr_weight, cvr_weight: of the two parts of the likelihood.
    """

    search = {"cvr_weight": WEIGHT}
    unsearched = {"ctr_weight": UNIT, "dependence": READING, "latent": READING}

    dependence: float = Field(default=0.0, ge=-5, le=5)
    ctr_weight: float = Weight
    cvr_weight: float = Weight


class SelectionAt(LatentCause[SelectionAtConfig]):
    r"""`naive`'s networks as the two predictors of a selection model, its dependence held fixed.

    Of an impression, u ~ N(0, 1) is in no feature; P(click | u) = sigma(a + u) and, once clicked,
    P(v | u) = sigma(b + s u), a and b being heads of one network:

        L = mean_D l(E_u sigma(a + u); c) + mean_D[c l(P(v = 1 | click); v)],

    minus the log-likelihood of an impression. The exposure is a part of a and not of b. Served are
    pCTR = E_u sigma(a + u) and pCVR = E_u sigma(b + s u), the rate if everybody clicked. Where
    unclicked training rows were left out, the term of clicks is that of such a sample.

    With s = 0 it is `naive` with another link of clicks. s is not learnt beside the networks,
    which is unreliable: `selection_network` takes it from the profile of `selection`.

    Source: Heckman, Econometrica 47, 1979; van de Ven and van Praag, Journal of Econometrics 17,
    1981; with networks put together here.
    """

    name = "selection_at"
    summary = "networks beside a latent cause whose strength is set; reads the exposure"
    reference = "Heckman, Econometrica 47, 1979; van de Ven, van Praag, J. Econometrics 17, 1981"
    expect = (
        "as right as the dependence that it is told. pCVR is meant to be below the rate on clicks "
        "where s > 0: do not calibrate it on clicks."
    )
    Config: ClassVar[type[MethodConfig]] = SelectionAtConfig
    variants = {"one": {"dependence": 1.0}}
    contract = Contract()

    @staticmethod
    def terms(config: Any, outputs: Outputs, labels: Labels) -> Terms:
        found = LatentCause.terms(config, outputs, labels)
        weights = {"ctr": config.ctr_weight, "cvr": config.cvr_weight}
        return {name: Term(t.value, weights[name], t.space) for name, t in found.items()}

    def build(self, rates: BaseRates) -> None:
        super().build(rates)
        self.build_latent()

    def begin(self, phase: Phase) -> None:
        self.get_buffer("log_kept").fill_(self.ctr_shift)

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        found = super().heads(x, serving=serving)
        return Outputs(found.logits, {KEPT: self.get_buffer("log_kept")})
