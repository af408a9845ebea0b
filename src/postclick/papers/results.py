"""Numbers by column, arm and seed, and which of two is better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """Which values are good: high ones, low ones, or those close to `target`.

    >>> HIGHER.goodness([0.6, 0.7]).tolist(), LOWER.goodness([0.6]).tolist()
    ([0.6, 0.7], [-0.6])
    >>> Scale(target=1.0).goodness([0.75, 1.5]).tolist()
    [-0.25, -0.5]
    """

    sign: int = 1
    target: float | None = None

    def goodness(self, values: Sequence[float] | Array) -> Array:
        """Higher is better, whatever the scale."""
        given = np.asarray(values, dtype=np.float64)
        return self.sign * given if self.target is None else -np.abs(given - self.target)

    @property
    def text(self) -> str:
        if self.target is not None:
            return f"the closer to {self.target:g} the better"
        return "higher is better" if self.sign > 0 else "lower is better"


HIGHER, LOWER = Scale(), Scale(sign=-1)


@dataclass(frozen=True)
class Results:
    """Measured values.

    Attributes:
        values: column -> arm -> value by seed; an arm is absent where a seed has no value.
        undefined: column -> arm -> why.

    >>> results = Results({"auc": {"esmm": (0.5, 0.7)}}, {"auc": {"evi": "no clicked rows"}})
    >>> round(results.mean("auc", "esmm"), 3), results.mean("auc", "evi") is None
    (0.6, True)
    """

    values: Mapping[str, Mapping[str, tuple[float, ...]]]
    undefined: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def by_seed(self, column: str, arm: str) -> tuple[float, ...] | None:
        return self.values.get(column, {}).get(arm)

    def why(self, column: str, arm: str) -> str:
        """Why there is no value."""
        return self.undefined.get(column, {}).get(arm, "not measured")

    def mean(self, column: str, arm: str) -> float | None:
        found = self.by_seed(column, arm)
        return float(np.mean(found)) if found else None

    def sd(self, column: str, arm: str) -> float | None:
        """Sample standard deviation over seeds; None with fewer than two."""
        found = self.by_seed(column, arm)
        return float(np.std(found, ddof=1)) if found and len(found) > 1 else None
