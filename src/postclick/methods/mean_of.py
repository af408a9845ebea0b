"""The mean of several methods, or of several starts of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.data.manifest import Manifest
from postclick.data.prepared import BaseRates, InputSpec
from postclick.methods.cross_fitting import cross_fitted, validated
from postclick.methods.fitted import FittedMethod, Fitting, Tensors
from postclick.methods.member_weights import MemberWeights, weights_of
from postclick.methods.members import Member
from postclick.methods.networks.member_shares import MemberShares
from postclick.methods.options import MethodConfig
from postclick.methods.outputs import Outputs
from postclick.methods.phases import Step
from postclick.methods.prediction import Prediction
from postclick.nn.config import NetworkConfig
from postclick.ranges import Choice

# What a network of its own would read: a mean has none.
NOTHING = InputSpec((), (), 0)


def _default() -> tuple[Member, ...]:
    return Member(method="click_prior"), Member(method="naive", starts=3)


class MeanOfConfig(MethodConfig):
    """Options of `mean_of`.

    Attributes:
        members: names, variants or places of methods, `naive*3` for one with three starts; or
            mappings with `method`, `starts`, `weight` (1 by default, all its starts together) and
            `options`, `network`, `training` of its own.
        mean: of probabilities, which keeps the level of predictions, or of logits.
        weights: `given` with the members; or chosen, pCTR's and pCVR's each by itself, as those
            under which held-out clicks and conversions are most likely: of `validation`, or
            `cross_fitted`, of each fold of the training split by members trained on the others.
        folds: how many for `cross_fitted`; each trains all members once more.
        strength: nats of log-likelihood that the given weights are believed with, if weights are
            chosen.
    """

    search = {"mean": Choice(("probability", "logit"))}
    unsearched = {
        "members": "what is averaged, and so what training costs, is for you to say",
        "weights": "whether members are trained more often is for you to say",
        "folds": "it is a cost, too",
        "strength": "weights that a validation split judges need no other belief",
    }

    members: tuple[Member, ...] = Field(default_factory=_default)
    mean: Literal["probability", "logit"] = "probability"
    weights: Literal["given", "validation", "cross_fitted"] = "given"
    folds: int = Field(default=3, ge=2, le=20)
    strength: float = Field(default=4.0, gt=0)

    @field_validator("members", mode="before")
    @classmethod
    def _a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | dict | Member) else value

    @field_validator("members")
    @classmethod
    def _are_methods(cls, members: tuple[Member, ...]) -> tuple[Member, ...]:
        if not members:
            raise ValueError("there is none: name methods, e.g. members=[click_prior,naive*3]")
        for member in members:
            if issubclass(member.kind, MeanOf):
                raise ValueError(
                    f"{member.method} is a mean itself: name its members here, each with a weight "
                    "if they shall not count alike"
                )
        return members

    @model_validator(mode="after")
    def _has_something_to_weigh(self) -> MeanOfConfig:
        if self.weights != "given" and len(self.members) == 1:
            raise ValueError(
                f"weights={self.weights} of one member, {self.members[0].called}: name another "
                "member, or leave weights at given"
            )
        return self

    def starts(self) -> list[Member]:
        """A member for each start."""
        return [member for member in self.members for _ in range(member.starts)]

    def shares(self) -> list[float]:
        """What each start counts; they sum to 1.

        >>> MeanOfConfig(members=["click_prior", "naive*2"]).shares()
        [0.5, 0.25, 0.25]
        """
        weights = [member.weight / member.starts for member in self.starts()]
        return [weight / sum(weights) for weight in weights]

    def given(self) -> list[float]:
        """What each member counts where nothing has chosen; they sum to 1."""
        weights = [member.weight for member in self.members]
        return [weight / sum(weights) for weight in weights]


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

    Source: Lakshminarayanan, Pritzel and Blundell, Simple and scalable predictive uncertainty
    estimation using deep ensembles, NeurIPS 2017; the linear and the logarithmic opinion pool:
    Genest and Zidek, Combining probability distributions, Statistical Science 1, 1986.
    """

    name = "mean_of"
    summary = "the mean of several methods, or of several starts of one"
    reference = "Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017"
    expect = (
        "better ranking than a single start, and than the best member where others of another kind "
        "are about as good; a member that is far ahead is drawn back; bias is the members' mean, "
        "without its spread over starts; training, memory and serving cost as much as all members "
        "together: postclick distill makes one network of it."
    )
    Config = MeanOfConfig
    variants = {"starts": {"members": ("naive*4",)}, "stacked": {"weights": "cross_fitted"}}

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
        yes = torch.logsumexp(F.logsigmoid(z) + shares.log(), dim=1)
        no = torch.logsumexp(F.logsigmoid(-z) + shares.log(), dim=1)
        return yes - no

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

    def fit(self, fitting: Fitting) -> None:
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
