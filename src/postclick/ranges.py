"""Ranges that trials draw settings from. They are declared once, beside what they vary.

A range is declared for a setting whatever its value; `around` says what it is around a given one.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Interval:
    """All numbers from `low` to `high`, evenly or, if `log`, evenly in their logarithm."""

    low: float
    high: float
    log: bool = False

    @property
    def ends(self) -> tuple[Any, ...]:
        return self.low, self.high


@dataclass(frozen=True)
class Values:
    """One of several values."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        return self.values


class Space(Protocol):
    """What a setting may be in a trial."""

    def around(self, given: Any) -> Interval | Values:
        """The range around a given value, which is always a part of it."""

    def draw(self, rng: np.random.Generator, given: Any) -> Any:
        """A random value."""


@dataclass(frozen=True)
class Factor:
    """From `low` to `high` times the given value, which is not 0, evenly in the logarithm.

    >>> Factor(0.1, 10.0).around(0.5)
    Interval(low=0.05, high=5.0, log=True)
    """

    low: float
    high: float

    def around(self, given: float) -> Interval:
        return Interval(self.low * given, self.high * given, log=True)

    def draw(self, rng: np.random.Generator, given: float) -> float:
        return given * float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))


@dataclass(frozen=True)
class Between:
    """From `low` to `high`, whatever is given; a given value beyond them widens the range.

    >>> Between(0.0, 0.5).around(0.7)
    Interval(low=0.0, high=0.7, log=False)
    """

    low: float
    high: float
    log: bool = False

    def around(self, given: float) -> Interval:
        return Interval(min(self.low, given), max(self.high, given), self.log)

    def draw(self, rng: np.random.Generator, given: float) -> float:
        if self.log:
            return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Choice:
    """One of `values`; a given value that is not among them comes first.

    >>> Choice((4, 8, 16)).around(32)
    Values(values=(32, 4, 8, 16))
    """

    values: tuple[Any, ...]

    def around(self, given: Any) -> Values:
        return Values(self.values if given in self.values else (given, *self.values))

    def draw(self, rng: np.random.Generator, given: Any) -> Any:
        return self.values[int(rng.integers(len(self.values)))]


@dataclass(frozen=True)
class Times:
    """A whole number: the given one times one of `factors`, at least 1.

    >>> Times((0.5, 1, 2)).around(256)
    Values(values=(128, 256, 512))
    """

    factors: tuple[float, ...]

    def around(self, given: int) -> Values:
        return Values(tuple(dict.fromkeys(max(1, round(f * given)) for f in self.factors)))

    def draw(self, rng: np.random.Generator, given: int) -> int:
        values = self.around(given).values
        return int(values[int(rng.integers(len(values)))])


# Of a loss term beside those it is minimised with.
WEIGHT = Factor(0.1, 10.0)
SWITCH = Choice((False, True))
# Why an option is not varied.
UNIT = "the unit of the other weights: Adam does not feel a scale that all share"
ALONE = "alone in its step: Adam does not feel its scale"
READING = "decides what is estimated, which validation rows with clicks cannot judge: choose it"
