"""A selection model whose predictors are networks, with the dependence that linear ones find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from postclick.data.manifest import Manifest
from postclick.data.prepared import BaseRates, InputSpec
from postclick.methods.explanation import Explanation
from postclick.methods.fitted import FittedMethod, Fitting
from postclick.methods.latent_cause import KEPT, LatentCause
from postclick.methods.members import Member
from postclick.methods.options import MethodConfig
from postclick.methods.outputs import Outputs
from postclick.methods.selection import Selection, SelectionConfig
from postclick.methods.selection_at import SelectionAt
from postclick.nn.config import NetworkConfig


class SelectionNetworkConfig(SelectionConfig):
    """Options of `selection_network`: those of `selection`, by which the dependence is found."""


class SelectionNetwork(LatentCause[SelectionNetworkConfig], FittedMethod[SelectionNetworkConfig]):
    r"""`selection` with `naive`'s networks in place of its linear predictors.

    1. `selection` finds the dependence s, its interval and its profile, by cross-fitting.
    2. `selection_at` trains networks with s held at what it serves, as a run of its own.

    s is one number, told by how conversions vary with the exposure, for which additive predictors
    do. The likelihood of networks on validation rows does not tell it: they have a tenth of the
    conversions, and two starts of one network differ there by as much as s = 0 and the true s.

        L = mean_D l(E_u sigma(a + u); c) + mean_D[c l(P(v = 1 | click); v)],

    and what is served, are those of `selection_at`.

    Source: as of `selection` and `selection_at`.
    """

    name = "selection_network"
    summary = "selection with networks: the dependence from linear predictors, pCVR from naive's"
    reference = "Heckman, Econometrica 47, 1979; van de Ven, van Praag, J. Econometrics 17, 1981"
    expect = (
        "the correction of selection, and about the ranking of naive: behind selection on all logs "
        "that were tried, also where half of the effects are of pairs of values; for logs where "
        "naive ranks better than click_prior. What is said of the dependence is what selection "
        "says. Do not calibrate it on clicks."
    )
    Config: ClassVar[type[MethodConfig]] = SelectionNetworkConfig
    config: SelectionNetworkConfig

    def __init__(
        self,
        config: SelectionNetworkConfig,
        network: NetworkConfig,
        inputs: InputSpec,
        rates: BaseRates,
        dim: int,
    ) -> None:
        self.inputs = inputs
        super().__init__(config, network, inputs, rates, dim)
        self.explained: Explanation | None = None

    def build(self, rates: BaseRates) -> None:
        self.rates = rates
        super().build(rates)
        self.build_latent()

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        found = self.with_dependence(super().heads(x, serving=serving))
        return Outputs(found.logits, {KEPT: self.get_buffer("log_kept")})

    @classmethod
    def reads(cls, config: Any, section: str, key: str) -> bool:
        """What the networks read."""
        return True

    @classmethod
    def members_of(cls, config: Any) -> Sequence[Member]:
        # What the fit finds takes the place of a dependence that is not fixed.
        s = 0.0 if config.dependence is None else config.dependence
        options = {"latent": config.latent, "dependence": s}
        return (Member(method=SelectionAt.name, options=options),)

    def fit(self, fitting: Fitting) -> None:
        linear = Selection(self.config, NetworkConfig(), self.inputs, self.rates, 2)
        linear.ctr_shift = self.ctr_shift
        linear.fit(fitting)
        told = linear.dependence_told
        member = fitting.member(0, dependence=told.served).state_dict()
        own = linear.state_dict()
        kept = {name: own[name] for name in self.state_dict() if name not in member}
        self.load_state_dict({**member, **kept})
        self.explained = linear.explain(fitting.log.manifest)

    def explain(self, manifest: Manifest) -> Explanation | None:
        """What `selection` says, by which the dependence was found."""
        return self.explained
