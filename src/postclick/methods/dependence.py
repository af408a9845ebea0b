"""What a likelihood says of how far clicks and conversions share a hidden cause, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf, isfinite
from typing import Any

from postclick.linear.likelihood_ratio import CUT, Profile

# No value beyond is tried.
LIMITS = (-3.0, 4.0)


@dataclass(frozen=True)
class Dependence:
    """How far clicks and conversions share a cause that no feature shows.

    Attributes:
        served: the s that pCVR is of, nearer to 0 than the best one where a prior draws it there.
        profile: held-out likelihood over s; None where s was set.

    >>> Dependence(0.5, None).statement
    'dependence s = 0.5, as set'
    """

    served: float
    profile: Profile | None

    @property
    def statement(self) -> str:
        """What the log says of s."""
        if self.profile is None:
            return f"dependence s = {self.served:g}, as set"
        found, served = self.profile, f"{self.served:.2f}"
        told = stated(found.best, found.low, found.high, found.at_zero)
        return told if served == f"{found.best:.2f}" else f"{told}; served is s = {served}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON; ends of the interval that are not known are None."""
        found = asdict(self)
        if self.profile is not None:
            ends = {end: getattr(self.profile, end) for end in ("low", "high")}
            found["profile"].update({k: x if isfinite(x) else None for k, x in ends.items()})
        return {**found, "statement": self.statement}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Dependence:
        """From what `as_dict` gave."""
        told = found["profile"]
        if told is None:
            return cls(found["served"], None)
        ends = {
            "low": -inf if told["low"] is None else told["low"],
            "high": inf if told["high"] is None else told["high"],
        }
        points = {name: tuple(told[name]) for name in ("at", "loss")}
        return cls(found["served"], Profile(**{**told, **ends, **points}))


def stated(best: float, low: float, high: float, at_zero: float) -> str:
    """The estimate, its interval, and whether 0 is rejected.

    Args:
        low, high: ends of the interval, infinite where it goes on beyond what was tried.
        at_zero: how much likelihood 0 loses.

    >>> stated(0.9, 0.5, 1.3, 8.0)
    'dependence s = 0.90 (0.50 to 1.30), s = 0 rejected'
    """
    least = f"{low:.2f}" if isfinite(low) else f"below {LIMITS[0]:g}"
    most = f"{high:.2f}" if isfinite(high) else f"above {LIMITS[1]:g}"
    rejected = "s = 0 rejected" if at_zero > CUT else "s = 0 not rejected"
    found = f"dependence s = {best:.2f} ({least} to {most}), {rejected}"
    if isfinite(low) and isfinite(high):
        return found
    return f"{found}; the log does not bound it, see 'postclick sensitivity'"
