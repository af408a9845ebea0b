"""The mean of several methods, or of several starts of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.data.manifest import Manifest
from postclick.data.prepared import BaseRates, InputSpec
from postclick.mean_logit import mean_logit
from postclick.methods.cross_fitting import cross_fitted, validated
from postclick.methods.fitted import FittedMethod, Fitting, Tensors
from postclick.methods.mean_of_config import MeanOfConfig
from postclick.methods.member_weights import MemberWeights, weights_of
from postclick.methods.members import Member
from postclick.methods.networks.member_shares import MemberShares
from postclick.methods.outputs import Outputs
from postclick.methods.phases import Step
from postclick.methods.prediction import Prediction
from postclick.nn.config import NetworkConfig

# What a network of its own would read: a mean has none.
NOTHING = InputSpec((), (), 0)


class MeanOf(FittedMethod[MeanOfConfig]):
    r"""The mean of what other methods predict, each trained by itself.

    p = sum_k w_k p_k and q = sum_k w_k q_k over the starts k of all members, pCTR and pCVR each by
    itself; or, with `mean=logit`, the same of their logits. Members count alike, a start for its
    share of its member. pCTCVR = p q, also where a member has one of its own.

    Nothing is fitted in common; L = mean_D l(p; c) + mean_C l(q; v) is told of the mean. Start k of
    n is to the bit the run of its method with seed n s + k, s being the seed of the mean, so that
    means of several seeds share no start.

    The expected squared error of a mean of n starts is that of one start less (n - 1) / n of its
    variance over starts; its log loss is at most the members' mean, for both means (Jensen). The
    level of the mean of probabilities is the mean of the members' levels; that of the mean of
    logits lies below it wherever members disagree on rare conversions.

    Where `weights` are chosen, those of pCTR and of pCVR minimise

        sum_H c l(m(w); y) - strength sum_j g_j ln w_j    over weights w of members that sum to 1,

    H being held-out impressions with their clicks, or held-out clicks with their conversions, c
    their weights, m(w) the mean as it is served, g the given weights: stacking, with a Dirichlet
    prior at g. `strength` nats of log-likelihood count as much as all that is believed before.

    Source: Lakshminarayanan, Pritzel and Blundell, Simple and scalable predictive uncertainty
    estimation using deep ensembles, NeurIPS 2017; the linear and the logarithmic opinion pool:
    Genest and Zidek, Combining probability distributions, Statistical Science 1, 1986; stacking:
    Wolpert, Neural Networks 5, 1992, Breiman, Machine Learning 24, 1996; of predictive
    distributions: Yao, Vehtari, Simpson and Gelman, Bayesian Analysis 13, 2018.
    """

    name = "mean_of"
    summary = "the mean of several methods, or of several starts of one"
    reference = "Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017"
    expect = (
        "better ranking than a single start, and than the best member where others of another kind "
        "are about as good; a member that is far ahead is drawn back, unless held-out rows choose "
        "what members count (weights=cross_fitted); bias is the members' mean, without its spread "
        "over starts; training, memory and serving cost as much as all members together: postclick "
        "distill makes one network of it."
    )
    Config = MeanOfConfig
    variants = {
        "starts": {"members": ("naive*4",)},
        "anchored": {"members": ("click_prior", "anchor*3")},
        "stacked": {"weights": "cross_fitted"},
    }

    def __init__(
        self,
        config: MeanOfConfig,
        network: NetworkConfig,
        inputs: InputSpec,
        rates: BaseRates,
        dim: int,
    ) -> None:
        super().__init__(config, network, NOTHING, rates, dim)
        del self.embedding
        # Each with its own effect of the exposure.
        self.members = nn.ModuleList(
            start.build(network, inputs, rates, dim) for start in config.starts()
        )
        self.shares = config.shares()
        self.learnt: MemberShares | None = None
        if config.weights != "given":
            starts = [member.starts for member in config.members]
            self.learnt = MemberShares(starts, self.shares)

    def build(self, rates: BaseRates) -> None:
        """No network of its own."""

    def forward(self, batch: Batch, step: Step = Step()) -> Outputs:  # noqa: B008
        found = self.predict_sampled(batch)
        return Outputs({"ctr": found.ctr, "cvr": found.cvr})

    def serving_outputs(self, batch: Batch) -> Outputs:
        found: Outputs = self(batch)
        return found

    def _predicted(self, batch: Batch, ctr_shift: float) -> Prediction:
        # A mean over exposures is one of corrected probabilities: each member has to take its own.
        within = ctr_shift if self.exposures() else 0.0
        found = [member._predicted(batch, within) for member in self._each()]
        mean = Prediction(
            self._mean([f.ctr for f in found], "ctr"), self._mean([f.cvr for f in found], "cvr")
        )
        return mean.shifted(ctr_shift - within)

    def _mean(self, logits: Sequence[Tensor], head: str) -> Tensor:
        """Logit [n] of the mean over starts, with what each counts in a head."""
        if len(logits) == 1:
            return logits[0]
        z = torch.stack(list(logits), dim=1)
        shares = z.new_tensor(self.shares) if self.learnt is None else self.learnt.of(head)
        if self.config.mean == "logit":
            return z @ shares
        return mean_logit(z, shares.log())

    def require_a_loss(self, batch: Batch) -> None:
        for member in self._each():
            member.require_a_loss(batch)

    @classmethod
    def reads(cls, config: Any, section: str, key: str) -> bool:
        """What some member reads."""
        return any(
            not issubclass(member.kind, FittedMethod)
            or member.kind.reads(member.config, section, key)
            for member in config.members
        )

    @classmethod
    def members_of(cls, config: Any) -> list[Member]:
        return cast(list[Member], config.starts())

    @classmethod
    def differs_on_clicks(cls, config: Any) -> bool:
        return any(member.kind.differs_on_clicks(member.config) for member in config.members)

    def fit(self, fitting: Fitting) -> None:
        self.eval()
        starts = self._each()
        # As `_predicted` takes the mean of.
        entire, rows = bool(self.exposures()), Tensors()
        if self.config.weights == "cross_fitted":
            device = next(self.parameters()).device
            rows = cross_fitted(
                fitting, len(starts), self.config.folds, entire=entire, device=device
            )
        for number, member in enumerate(starts):
            member.load_state_dict(fitting.member(number).state_dict())
        if self.config.weights == "validation":
            rows = validated(fitting, starts, entire=entire)
        if self.learnt is not None:
            # Here, for it loads SciPy, which nothing else of a mean needs.
            from postclick.methods.learnt_weights import Pool, learn_weights

            config = self.config
            pool = Pool(self.learnt.starts, config.given(), config.mean, config.strength)
            self.learnt.take(learn_weights(rows, pool))

    def explain(self, manifest: Manifest) -> MemberWeights | None:
        """What members count, and how good they are alone, if held-out rows have chosen."""
        if self.learnt is None:
            return None
        config = self.config
        folds = config.folds if config.weights == "cross_fitted" else None
        return weights_of(self.learnt, [member.called for member in config.members], folds)

    def _each(self) -> list[Any]:
        return list(self.members)
