"""What a fitted method says of itself in words and numbers that people can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from postclick.data.manifest import Manifest
from postclick.methods.dependence import Dependence
from postclick.methods.member_weights import MemberWeights


@dataclass(frozen=True)
class FieldEffect:
    """How much one field carries of a logit.

    Attributes:
        field: its name; all numerics are one.
        head: `ctr` or `cvr`.
        variance: the prior variance of its values' coefficients: near 0 where it says nothing.
        spread: the standard deviation over the rows of what it adds to the logit, over all
            impressions for `ctr`, over clicked ones for `cvr`.
    """

    field: str
    head: str
    variance: float
    spread: float


@dataclass(frozen=True)
class Explanation:
    """What carries clicks and conversions, and how the two hang together.

    Attributes:
        fields: of each head, the widest spread first.
        score_effect: what a unit of the CTR logit adds to the CVR logit; None if it has no part.
        low, high: its 95 % interval; others being equal, who clicks more readily buys more readily
            if it lies above 0, and less readily if it lies below.
        factor_variance: of the factors whose products are in the CVR logit; 0 where
            cross-validation has found that products of values do not help.
        dependence: how far clicks and conversions share a cause that no feature shows, of methods
            that know of one; all else is then of the regressions in which nothing is hidden.
    """

    fields: tuple[FieldEffect, ...]
    score_effect: float | None
    low: float | None
    high: float | None
    factor_variance: float = 0.0
    dependence: Dependence | None = None

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        of_cause = None if self.dependence is None else self.dependence.as_dict()
        return {**asdict(self), "dependence": of_cause}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Explanation:
        """From what `as_dict` gave."""
        fields = tuple(FieldEffect(**one) for one in found["fields"])
        told = found.get("dependence")
        dependence = None if told is None else Dependence.from_dict(told)
        return cls(**{**found, "fields": fields, "dependence": dependence})

    @property
    def noted(self) -> dict[str, Any]:
        """What the history says of it: nothing."""
        return {}

    @property
    def sentence(self) -> str:
        """What the CTR score's coefficient means, after what is said of a hidden cause."""
        if self.dependence is None:
            return self._of_score
        told = self.dependence.statement
        return f"{told[0].upper()}{told[1:]}. With nothing hidden: {self._of_score}"

    @property
    def _of_score(self) -> str:
        if self.score_effect is None or self.low is None or self.high is None:
            return "The CTR score has no part in pCVR."
        told = f"{self.score_effect:+.2f} ({self.low:+.2f} to {self.high:+.2f})"
        if self.low > 0:
            means = "who clicks more readily buys more readily"
        elif self.high < 0:
            means = "who clicks more readily buys less readily"
        else:
            means = "whether who clicks more readily buys more readily cannot be told"
        of_score = f"Coefficient of the CTR score in the CVR logit: {told}: {means}."
        if self.dependence is not None:
            return of_score  # products have no part in it
        products = "have a part in" if self.factor_variance else "did not help to predict"
        return f"{of_score} Products of values {products} conversions."


AnyExplanation = Explanation | MemberWeights


def read_explanation(found: Mapping[str, Any]) -> AnyExplanation:
    """What `as_dict` of either gave.

    Raises:
        KeyError, TypeError: it is neither.
    """
    return MemberWeights.from_dict(found) if "members" in found else Explanation.from_dict(found)


def group_names(manifest: Manifest, *, exposed: bool) -> list[str]:
    """Names of the groups of a linear model's columns, in their order."""
    names = [*(column.name for column in manifest.ids), *(bag.name for bag in manifest.bags)]
    if exposed and manifest.exposure is not None:
        names.append(manifest.exposure.name)
    names += ["numeric"] if manifest.numerics else []
    return [*names, *(vector.name for vector in manifest.vectors)]


def field_effects(
    names: Sequence[str], head: str, variances: Sequence[float], spreads: Sequence[float]
) -> list[FieldEffect]:
    """The fields of a head, the widest spread first.

    >>> [e.field for e in field_effects(["a", "b"], "cvr", [0.1, 0.2], [0.0, 1.0])]
    ['b', 'a']
    """
    found = [
        FieldEffect(name, head, float(v), float(s))
        for name, v, s in zip(names, variances, spreads, strict=True)
    ]
    return sorted(found, key=lambda one: -one.spread)
