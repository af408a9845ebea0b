"""Values so far outside all others that they would set the scale of a column alone.

A column is standardized by its deviation, and a few numbers such as -999999999 for "no value" can
be all of it: what the others differ by is then nothing. They are told from the long tail of a price
by a gap: nothing lies between them and the rest, whose own tail ends far earlier.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postclick.data.numbers.moments import LARGEST, Floats, Moments

# With fewer values nothing is called extreme.
MIN_VALUES = 10
# How many times further from the median than the furthest of the others: one value on a side, which
# stays apart from the others at the limit, and several, of which a limit makes one.
GAP_OF_ONE, GAP_OF_SEVERAL = 10.0, 100.0
# Several different values are extreme only if they are so few, or if each comes so often.
RARE, OFTEN = 0.01, 20
# The share of values that has to differ from the median: a column that is constant but for its
# extremes has no other scale than theirs.
VARIED = 0.01
# The deviation with extremes over that without from which they are said to swallow it.
SWALLOWED = 3.0


@dataclass(frozen=True)
class Extremes:
    """Which values of a column are extreme, and what the others are like.

    Attributes:
        inside: moments of the others in the sample, and the smallest and largest of all others.
        low, high: the limits, in the same units; a value beyond counts as the limit.
    """

    inside: Moments
    low: float
    high: float

    def are(self, values: Floats) -> npt.NDArray[np.bool_]:
        """bool [n]: which of these are extreme."""
        return (values < self.inside.low) | (values > self.inside.high)


def limits(moments: Moments) -> tuple[float, float]:
    """One deviation beyond the smallest and the largest value, and less where they are nearer to
    the mean, as the zeros of a price are; of a constant column, its value.

    >>> moments = Moments(); moments.add(np.array([0.0, 0.0, 3.0, 1.0])); limits(moments)
    (-1.0, 4.224744871391589)
    >>> limits(Moments())
    (0.0, 0.0)
    """
    if moments.count == 0:
        return 0.0, 0.0
    below = min(moments.std, abs(moments.mean - moments.low))
    above = min(moments.std, abs(moments.high - moments.mean))
    return max(moments.low - below, -LARGEST), min(moments.high + above, LARGEST)


def find_extremes(sample: Floats, moments: Moments) -> Extremes | None:
    """The extreme values, or None where there are none.

    Args:
        sample: float64 [n], finite, a uniform sample of the column, or all of it.
        moments: of all its values; their smallest and largest count though no sample has them.

    >>> ages = np.concatenate([np.arange(18.0, 80.0).repeat(9), np.full(40, -999999999.0)])
    >>> moments = Moments(); moments.add(ages); found = find_extremes(ages, moments)
    >>> int(found.are(ages).sum()), round(found.low, 1), round(found.high, 1)
    (40, 0.1, 96.9)
    >>> moments = Moments(); moments.add(ages[:-40]); find_extremes(ages[:-40], moments)
    """
    if len(sample) < MIN_VALUES:
        return None
    values = np.sort(sample.clip(-LARGEST, LARGEST))
    ends = [v for v in (moments.low, moments.high) if not values[0] <= v <= values[-1]]
    middle = values[len(values) // 2]
    values = np.concatenate([values, ends])
    far = np.abs(values - middle)
    order = np.argsort(far, kind="stable")
    values, far, sampled = values[order], far[order], order < len(sample)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gaps = far[1:] / far[:-1]
    wide = np.flatnonzero((gaps > GAP_OF_ONE) & (far[:-1] > 0)) + 1
    for start in wide[wide > len(sample) // 2]:
        inside, outside = values[:start], values[start:]
        if np.count_nonzero(inside != middle) < VARIED * len(values):
            continue
        if not _stand_apart(outside, middle, float(gaps[start - 1]), len(values)):
            continue
        rest = Moments()
        rest.add(inside[sampled[:start]])
        rest.low, rest.high = float(inside.min()), float(inside.max())
        if moments.std < SWALLOWED * rest.std:
            continue
        low, high = limits(rest)
        # A deviation apart, so that a network can tell them from the nearest of the others.
        low = rest.low - rest.std if outside.min() < middle else low
        high = rest.high + rest.std if outside.max() > middle else high
        if not sampled[start:].any():
            # Only the whole log has some; its others may reach further than those of the sample.
            reach = 10 * float(far[start - 1])
            low, high = min(low, float(middle) - reach), max(high, float(middle) + reach)
        return Extremes(rest, low, high)
    return None


def _stand_apart(outside: Floats, middle: float, gap: float, rows: int) -> bool:
    distinct = np.unique(outside)
    one_a_side = max((distinct < middle).sum(), (distinct > middle).sum()) == 1
    if one_a_side and len(outside) > len(distinct):
        return True
    few = len(outside) <= max(RARE * rows, 1) or len(distinct) * OFTEN <= len(outside)
    return gap > GAP_OF_SEVERAL and few
