"""Which impressions an arm learns conversions from, and its log: clicks on exactly these."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.data.schema import LogSchema

# Each with what it learns from, in the order of the table.
ARMS: Mapping[str, str] = {
    "clicked": "clicked rows, recorded conversions",
    "random_rows": "random rows, as many",
    "random_conversions": "random rows, as many conversions",
    "all": "all impressions",
}


@dataclass(frozen=True)
class Outcomes:
    """What would happen on n impressions.

    Attributes:
        click: shape (n,), bool.
        conversion: shape (n,), bool, potential: what follows if the row is clicked.
    """

    click: NDArray[np.bool_]
    conversion: NDArray[np.bool_]


def chosen(arm: str, outcomes: Outcomes, order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The rows that an arm learns conversions from; shape (n,).

    The two random arms take the first rows of `order`, a permutation drawn at random, so that the
    smaller is part of the larger. That with as many conversions ends before the next conversion:
    then conversions over rows are the rate without bias, which they are not if the last row has to
    be a conversion. Clicked rows are some of all, so there are as many. No arm has the last row of
    `order`: a log in which every row is clicked is refused.

    >>> seen = Outcomes(np.array([1, 0, 0, 0], bool), np.array([1, 0, 0, 1], bool))
    >>> order = np.array([2, 3, 1, 0])
    >>> [chosen(arm, seen, order).nonzero()[0].tolist() for arm in ARMS]
    [[0], [2], [1, 2, 3], [1, 2, 3]]
    """
    click, conversion = outcomes.click, outcomes.conversion
    if arm == "clicked":
        return click
    if arm == "random_rows":
        count = int(np.count_nonzero(click))
    elif arm == "random_conversions":
        wanted = np.count_nonzero(click & conversion)
        count = int(np.searchsorted(np.cumsum(conversion[order]), wanted, side="right"))
    else:
        count = click.size
    taken = np.zeros(click.size, np.bool_)
    taken[order[: min(count, click.size - 1)]] = True
    return taken


def arm_log(
    arm: str, frame: pl.DataFrame, schema: LogSchema, rng: np.random.Generator
) -> pl.DataFrame:
    """A simulated log in which exactly an arm's rows are clicked, with potential conversions.

    Features, truth and the order of rows stay. On clicked rows the potential conversion is the
    recorded one, so that the arm `clicked` is the log as it is.
    """
    click, conversion = schema.click.column, schema.conversion.column
    outcomes = Outcomes(
        frame[click].to_numpy() == 1, frame[str(schema.truth.conversion)].to_numpy() == 1
    )
    taken = chosen(arm, outcomes, rng.permutation(frame.height))
    return frame.with_columns(
        pl.Series(click, taken.astype(np.int8)),
        pl.Series(conversion, (taken & outcomes.conversion).astype(np.int8)),
    )
