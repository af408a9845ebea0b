"""How often each value of an exposure was shown in training, and how often it was clicked."""

import math
from typing import NamedTuple

from postclick.data.manifest import ExposureColumn


class ExposureValues(NamedTuple):
    """What a network has to know of an exposure, by id; id 0 is unseen, missing or rare.

    Attributes:
        shares: of the impressions, summing to 1; down-sampled ones count as those they stand for.
        log_odds: of a click among the training rows, less those of all of them; 0 for id 0 where
            training has no such row.
        at: the id at which pCTR is served, None for its mean over `shares`.
    """

    shares: tuple[float, ...]
    log_odds: tuple[float, ...]
    at: int | None = None


def exposure_values(
    column: ExposureColumn, negative_rate: float, ctr: float, one: float = 1.0
) -> ExposureValues:
    """From the counts of a prepared log.

    Args:
        negative_rate: share of the unclicked impressions that is left among the rows.
        ctr: P(click) among all training rows.
        one: weight of the click that is added to each value beside 1 / `ctr` impressions, so that
            no log-odds are infinite, and rare values start near the rest.

    >>> column = ExposureColumn(name="slot", size=3, rows=(0, 30, 10), clicks=(0, 6, 4))
    >>> values = exposure_values(column, 0.5, 0.25)
    >>> [round(share, 4) for share in values.shares], [round(x, 3) for x in values.log_odds]
    ([0.0, 0.7714, 0.2286], [0.0, -0.251, 0.511])
    """
    shown = [c + (n - c) / negative_rate for n, c in zip(column.rows, column.clicks, strict=True)]
    total = sum(shown)
    base = math.log(ctr / (1 - ctr))
    log_odds = []
    for rows, clicks in zip(column.rows, column.clicks, strict=True):
        yes, no = clicks + one, rows - clicks + one * (1 - ctr) / ctr
        log_odds.append(math.log(yes / no) - base)
    return ExposureValues(tuple(n / total for n in shown), tuple(log_odds), column.at)
