"""The figures that a model's predictions allow, as rows of each quantity on each space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.judging.predicted.rows import Predicted
from postclick.metrics.catalogue import Figure
from postclick.metrics.metric import Quantity, Space
from postclick.metrics.rows import Floats, Rows

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Labels:
    """What happened to some rows; shapes `(n,)`.

    Attributes:
        group: the hash of each row's group; `dense` numbers the groups of these rows from 1. Both
            are 0 for none.
    """

    click: Bools
    conversion: Bools
    truth: NDArray[Any] | None = None
    group: NDArray[np.int64] | None = None
    weight: Floats | None = None
    dense: NDArray[np.int64] | None = None

    def on(self, space: Space) -> Bools | None:
        """Which rows are in a space; None for all of them."""
        if space == "entire":
            return None
        return self.click if space == "clicked" else ~self.click


@dataclass(frozen=True)
class Asked:
    """A quantity on a space that some figure is of.

    >>> Asked("cvr", "clicked").prediction
    'pcvr'
    """

    quantity: Quantity
    space: Space

    @property
    def prediction(self) -> str:
        """The probability that is judged."""
        return {"ctr": "pctr", "ctcvr": "pctcvr"}.get(self.quantity, "pcvr")


def asked_for(figures: Sequence[Figure], *, truth: bool, group: bool) -> list[tuple[Asked, Figure]]:
    """Every figure on every space that the columns allow, in the order of the registry."""
    columns = {"group"} if group else set[str]()
    return [
        (Asked(figure.quantity, space), figure)
        for figure in figures
        if (truth or not figure.needs_truth) and figure.needs <= columns
        for space in figure.spaces
    ]


def rows_of(
    asked: Asked, labels: Labels, model: Predicted, *, logits: bool
) -> tuple[Rows, Bools | None] | None:
    """The rows of a quantity on a space, and which rows they are; None where it is not predicted.

    A prediction that some rows without a click lack is one of the clicked rows alone.

    Args:
        logits: whether scores have to be logits, as metrics from elsewhere expect; ranks and
            losses of our own are taken from the probabilities as they came.
    """
    p = getattr(model, asked.prediction)
    label = {
        "ctr": labels.click,
        "ctcvr": labels.conversion,
        "cvr": labels.conversion,
        "true_cvr": labels.truth,
    }[asked.quantity]
    if p is None or label is None:
        return None
    if asked.space != "clicked" and asked.prediction in model.on_clicks:
        return None  # it is not known of every row
    chosen = labels.on(asked.space)
    group, weight = labels.group, labels.weight
    if chosen is not None:
        p, label = p[chosen], label[chosen]
        group = None if group is None else group[chosen]
        weight = None if weight is None else weight[chosen]
    score = logit(p) if logits else p
    y = label
    return Rows(
        y,
        score,
        group,
        prediction=lambda: np.asarray(p, np.float64),
        nll=lambda: cross_entropy_of(p, y),
        weight=weight,
    ), chosen


def cross_entropy_of(p: NDArray[Any], y: NDArray[Any]) -> Floats:
    """`-[y ln p + (1 - y) ln(1 - p)]` per row; infinite where p is 0 or 1 and wrong.

    >>> print(cross_entropy_of(np.array([0.25, 1.0, 1.0]), np.array([True, True, False])))
    [1.38629436 0.                inf]
    """
    q = np.asarray(p, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        if y.dtype.kind == "b":
            # Not np.log1p(-q): 1 - q is exact enough, and one logarithm serves both labels.
            return np.asarray(0.0 - np.log(np.where(y, q, 1.0 - q)))  # 0, not -0
        r = y.astype(np.float64)
        up, down = np.log(q), np.log1p(-q)
        return np.asarray(-(np.where(r > 0, r * up, 0.0) + np.where(r < 1, (1 - r) * down, 0.0)))


def logit(p: NDArray[Any]) -> Floats:
    """`ln p - ln(1 - p)`, infinite at 0 and 1.

    >>> print(logit(np.array([0.5])))
    [0.]
    """
    q = np.asarray(p, np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(q) - np.log1p(-q))


def spaces_of(asked: Sequence[tuple[Asked, Figure]]) -> Iterator[Asked]:
    """Each quantity on each space once."""
    yield from dict.fromkeys(one for one, _ in asked)
