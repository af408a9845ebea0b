"""How balanced clicked and all impressions are, feature by feature, before and after weighting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from postclick.judging.entire.kinds import Kind

# |SMD| beyond this counts as imbalance, as is usual (Austin, 2009).
LIMIT = 0.1


@dataclass(frozen=True)
class Difference:
    """One standardised mean difference, before and after weighting: of a level, or of the mean.

    >>> Difference("ios", 0.3, -0.05).of
    'ios'
    """

    of: str
    before: float
    after: float


@dataclass(frozen=True)
class FeatureBalance:
    """How far clicked impressions are from all of them in one feature, in standard deviations.

    Attributes:
        kind: how it was read: by levels (`category`), by its mean (`number`), or by `both`.
        compared: how many levels (and means) were.
        before, after: the standardised mean difference of largest size, of clicked rows as they
            are and weighted; `worst_before`, `worst_after` say of which level, or of the mean.
        rms_before, rms_after: root mean square over what was compared.
        flagged: `|after|` is above `LIMIT`.
    """

    feature: str
    kind: Kind
    compared: int
    before: float
    worst_before: str
    rms_before: float
    after: float
    worst_after: str
    rms_after: float
    flagged: bool

    def as_dict(self) -> dict[str, Any]:
        """As written to JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Balance:
    """Balance of all features, and how much of it may be chance.

    Attributes:
        features: those compared, the worst after weighting first.
        effective_sample_size: Kish's, of the weighted clicked rows.
        noise: `1 / sqrt(effective_sample_size)`: the standard error of an SMD by chance alone; the
            largest of many is easily three times that.
        clip: of the propensities.
    """

    features: tuple[FeatureBalance, ...]
    effective_sample_size: float
    noise: float | None
    clip: float

    @property
    def largest_before(self) -> float:
        """The largest |SMD| of clicked rows as they are; 0 without features."""
        return max((abs(one.before) for one in self.features), default=0.0)

    @property
    def largest_after(self) -> float:
        """The largest |SMD| of weighted clicked rows; 0 without features."""
        return max((abs(one.after) for one in self.features), default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """As written to JSON."""
        return {
            "features": [one.as_dict() for one in self.features],
            "largest_before": self.largest_before,
            "largest_after": self.largest_after,
            "limit": LIMIT,
            "effective_sample_size": self.effective_sample_size,
            "noise": self.noise,
            "clip": self.clip,
        }


def feature_balance(name: str, kind: Kind, parts: Sequence[Difference]) -> FeatureBalance:
    """The balance of a feature from what was compared of it, one part or more.

    >>> parts = [Difference("ios", 0.3, -0.05), Difference("android", -0.4, 0.02)]
    >>> found = feature_balance("device", "category", parts)
    >>> found.before, found.worst_before, found.after, found.worst_after
    (-0.4, 'android', -0.05, 'ios')
    """
    before = max(parts, key=lambda part: abs(part.before))
    after = max(parts, key=lambda part: abs(part.after))
    return FeatureBalance(
        feature=name,
        kind=kind,
        compared=len(parts),
        before=before.before,
        worst_before=before.of,
        rms_before=_rms([part.before for part in parts]),
        after=after.after,
        worst_after=after.of,
        rms_after=_rms([part.after for part in parts]),
        flagged=abs(after.after) > LIMIT,
    )


def _rms(values: Sequence[float]) -> float:
    return sqrt(sum(value * value for value in values) / len(values))
