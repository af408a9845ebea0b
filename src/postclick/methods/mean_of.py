"""The mean of several methods, or of several starts of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.data.prepared import BaseRates, InputSpec
from postclick.methods.fitted import FittedMethod, Fitting
from postclick.methods.members import Member
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
    """

    search = {"mean": Choice(("probability", "logit"))}
    unsearched = {"members": "what is averaged, and so what training costs, is for you to say"}

    members: tuple[Member, ...] = Field(default_factory=_default)
    mean: Literal["probability", "logit"] = "probability"

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
    variants = {"starts": {"members": ("naive*4",)}}

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
        mean = Prediction(self._mean([f.ctr for f in found]), self._mean([f.cvr for f in found]))
        return mean.shifted(ctr_shift - within)

    def _mean(self, logits: Sequence[Tensor]) -> Tensor:
        """Logit [n] of the mean over members."""
        if len(logits) == 1:
            return logits[0]
        z = torch.stack(list(logits), dim=1)
        shares = z.new_tensor(self.shares)
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

    @classmethod
    def differs_on_clicks(cls, config: Any) -> bool:
        return any(member.kind.differs_on_clicks(member.config) for member in config.members)

    def fit(self, fitting: Fitting) -> None:
        for number, member in enumerate(self._each()):
            member.load_state_dict(fitting.member(number).state_dict())

    def _each(self) -> list[Any]:
        return list(self.members)
