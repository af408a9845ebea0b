"""What a mean says of the weights that held-out rows have chosen for its members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from postclick.methods.networks.member_shares import MemberShares
from postclick.spelling import counted
from postclick.stats.interval import normal_quantile

HEADS = {"ctr": "pCTR", "cvr": "pCVR"}


@dataclass(frozen=True)
class MemberWeight:
    """What one member counts in one head, and how good it is alone.

    Attributes:
        member: as `members` has it.
        head: `ctr` or `cvr`.
        weight: what it counts, all its starts together.
        loss: its own mean logistic loss on the held-out rows.
        behind, low, high: by how much that is above the loss of the mean, with its 95 % interval.
    """

    member: str
    head: str
    weight: float
    loss: float
    behind: float
    low: float
    high: float


@dataclass(frozen=True)
class MemberWeights:
    """Weights of the members of a mean, chosen by rows that they had not learnt from.

    Attributes:
        folds: of the training split, each held out once; None if the validation split has chosen.
        rows: held-out impressions for pCTR.
        clicks, conversions: held-out ones for pCVR.
        ctr_loss, cvr_loss: mean logistic loss of the mean on those rows.
        members: of each head, in the order of `members`.
    """

    folds: int | None
    rows: int
    clicks: int
    conversions: int
    ctr_loss: float
    cvr_loss: float
    members: tuple[MemberWeight, ...]

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> MemberWeights:
        """From what `as_dict` gave."""
        return cls(**{**found, "members": tuple(MemberWeight(**one) for one in found["members"])})

    def of(self, head: str) -> list[MemberWeight]:
        """The members of a head."""
        return [one for one in self.members if one.head == head]

    def loss(self, head: str) -> float:
        """Of the mean."""
        return self.ctr_loss if head == "ctr" else self.cvr_loss

    @property
    def noted(self) -> dict[str, Any]:
        """What the history says of it."""
        return {"weights": {h: {one.member: one.weight for one in self.of(h)} for h in HEADS}}

    @property
    def sentence(self) -> str:
        """What pCVR and pCTR are made of, and what has chosen it."""
        made = " and ".join(f"{name} is {self._sum(head)}" for head, name in HEADS.items())
        of = "the validation split" if self.folds is None else f"{self.folds} held-out folds"
        return (
            f"{made}, by the likelihood of {counted(self.conversions, 'conversion')} among "
            f"{counted(self.clicks, 'click')} of {of}."
        )

    def _sum(self, head: str) -> str:
        return " + ".join(f"{one.weight:.2f} {one.member}" for one in self.of(head))


def weights_of(shares: MemberShares, members: Sequence[str], folds: int | None) -> MemberWeights:
    """What a mean has learnt.

    Args:
        members: their names; those that are there several times are numbered.
    """
    names, reach = numbered(members), normal_quantile(0.95)
    found = []
    for number, head in enumerate(HEADS):
        *losses, _ = shares.losses[number].tolist()
        behind, errors = (of[number].tolist() for of in (shares.behind, shares.behind_error))
        for name, weight, loss, above, error in zip(
            names, shares.members(head), losses, behind, errors, strict=True
        ):
            low, high = above - reach * error, above + reach * error
            found.append(MemberWeight(name, head, weight, loss, above, low, high))
    (rows, _), (clicks, conversions) = ((int(n) for n in of) for of in shares.counts.tolist())
    ctr_loss, cvr_loss = shares.losses[:, -1].tolist()
    return MemberWeights(folds, rows, clicks, conversions, ctr_loss, cvr_loss, tuple(found))


def numbered(names: Sequence[str]) -> list[str]:
    """Names, with a number behind each that is there several times.

    >>> numbered(["naive", "esmm", "naive"])
    ['naive (1)', 'esmm', 'naive (2)']
    """
    times, seen = Counter(names), Counter[str]()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name} ({seen[name]})" if times[name] > 1 else name)
    return found
