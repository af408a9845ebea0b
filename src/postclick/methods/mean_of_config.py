"""What a mean is of: its members, and who says what they count."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from postclick.methods.fitted import FittedMethod
from postclick.methods.members import Member
from postclick.methods.options import MethodConfig
from postclick.ranges import Choice


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
            under which held-out clicks and conversions are most likely: those of `validation`, or,
            `cross_fitted`, each fold of the training split by members trained on the others.
        folds: how many for `cross_fitted`; each trains all members once more.
        strength: with how many nats of log-likelihood given weights are believed in, where weights
            are chosen.
    """

    search = {"mean": Choice(("probability", "logit"))}
    unsearched = {
        "members": "what is averaged, and so what training costs, is for you to say",
        "weights": "whether members are trained more often is for you to say",
        "folds": "it is a cost, too",
        "strength": "what it evens out is noise of few conversions, as trials are judged by",
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
            if issubclass(member.kind, FittedMethod) and member.kind.members_of(member.config):
                if "members" not in member.kind.Config.model_fields:
                    raise ValueError(
                        f"{member.method} trains networks of its own, which a member cannot: "
                        "leave it out, or train it alone"
                    )
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
