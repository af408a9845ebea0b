"""Axes: where a value stands between two ends, in percent, and which values are marked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from postclick.reporting.ticks import even_ticks

# Steps within a decade, from few marks to many.
STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
MOST_TICKS = 5
# Intervals that reach farther beyond the values than this factor are cut off, with an arrow.
REACH = 1.6
# No ratio is drawn farther from 1.
MOST_RATIO = 50.0


@dataclass(frozen=True)
class Tick:
    """A marked value: where it stands, in percent, and how it is written."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, linear or logarithmic."""

    low: float
    high: float
    log: bool = False
    marked: tuple[float, ...] = ()

    def at(self, value: float) -> float:
        """Percent of the way from `low` to `high`, at most 0 or 100 beyond them.

        >>> Axis(1.0, 100.0, log=True).at(10.0), Axis(0.0, 4.0).at(5.0)
        (50.0, 100.0)
        """
        if value <= self.low:
            return 0.0
        if value >= self.high:
            return 100.0
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(100 * share, 2)

    def holds(self, value: float) -> bool:
        """Whether it is between the ends."""
        return self.low <= value <= self.high

    @property
    def ticks(self) -> list[Tick]:
        """The marked values."""
        return [Tick(self.at(value), f"{value:g}") for value in self.marked]


def ratio_axis(values: Iterable[float | None], ends: Iterable[float | None] = ()) -> Axis:
    """Logarithmic, with 1 on it, for ratios and the ends of their intervals.

    >>> axis = ratio_axis([0.9, 1.2], [0.8, 1.4])
    >>> axis.log, axis.holds(1.4), [tick.text for tick in axis.ticks]
    (True, True, ['0.8', '1', '1.2', '1.4'])
    """
    shown = [1.0, *_known(values, positive=True)]
    low, high = max(min(shown), 1 / MOST_RATIO), min(max(shown), MOST_RATIO)
    reached = _known(ends, positive=True)
    low = min([low, *(max(one, low / REACH) for one in reached)])
    high = max([high, *(min(one, high * REACH) for one in reached)])
    low, high = min(low, 0.95), max(high, 1.05)
    room = (high / low) ** 0.04
    low, high = low / room, high * room
    return Axis(low, high, True, tuple(log_ticks(low, high)))


def gain_axis(values: Iterable[float | None], ends: Iterable[float | None] = ()) -> Axis:
    """Linear, with 0 on it, for differences and the ends of their intervals.

    >>> axis = gain_axis([0.01, -0.02], [-0.03, 0.03])
    >>> axis.holds(-0.03), [tick.text for tick in axis.ticks]
    (True, ['-0.02', '0', '0.02'])
    """
    shown = [0.0, *_known(values), *_known(ends)]
    low, high = min(shown), max(shown)
    if low == high:
        low, high = -1.0, 1.0
    room = 0.06 * (high - low)
    low, high = low - room, high + room
    return Axis(low, high, False, tuple(even_ticks(low, high, MOST_TICKS)))


def rate_axis(
    values: Sequence[float], ends: Sequence[float] = (), *, from_zero: bool = True
) -> Axis:
    """For rates: from 0, or logarithmic where all are positive and far apart.

    Args:
        from_zero: whether a linear axis has to begin at 0.

    >>> rate_axis([0.1, 0.2]).log, rate_axis([0.001, 0.4]).log, rate_axis([0.0, 0.4]).log
    (False, True, False)
    """
    shown = [one for one in values if math.isfinite(one)] or [0.0, 1.0]
    low, high = min(shown), max(shown)
    high = max([high, *(min(one, REACH * high) for one in ends if math.isfinite(one))])
    if low > 0 and high / low > 20:
        reached = [max(one, low / REACH) for one in ends if 0 < one < math.inf]
        low = min([low, *reached]) / 1.15
        high *= 1.15
        return Axis(low, high, True, tuple(log_ticks(low, high)))
    room = 0.08 * (high - low)
    if not from_zero and room > 0 and low > high / 2:
        low, high = low - room, high + room
        return Axis(low, high, False, tuple(even_ticks(low, high, MOST_TICKS)))
    high = 1.05 * high if high > 0 else 1.0
    return Axis(0.0, high, False, tuple(even_ticks(0.0, high, MOST_TICKS)))


def log_ticks(low: float, high: float, most: int = MOST_TICKS) -> list[float]:
    """Round numbers between two positive values: the most that are not too many.

    >>> log_ticks(0.02, 3.0), log_ticks(0.9, 1.3)
    ([0.03, 0.1, 0.3, 1.0, 3.0], [0.9, 1.0, 1.1, 1.2, 1.3])
    """
    if high / low < 2.5:
        return even_ticks(low, high, most)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for step in STEPS:
        ticks = [float(f"{m * 10.0**d:.6g}") for d in decades for m in step]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most or not found:
            found = ticks
    return found[:: -(-len(found) // most)] if len(found) > most else found


def _known(values: Iterable[float | None], *, positive: bool = False) -> list[float]:
    return [
        one
        for one in values
        if one is not None and math.isfinite(one) and (one > 0 or not positive)
    ]
