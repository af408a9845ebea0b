"""`Metric`: what a metric is, from the sums it keeps to the reason why it has no value."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from postclick.metrics.rows import Floats, Rows

Space = Literal["clicked", "unclicked", "entire"]
Quantity = Literal["ctr", "ctcvr", "cvr", "true_cvr"]

SPACES: tuple[Space, ...] = get_args(Space)
# What the prediction of a quantity is called, and what it is measured against.
PREDICTIONS: Mapping[Quantity, str] = {
    "ctr": "pCTR",
    "ctcvr": "pCTCVR",
    "cvr": "pCVR",
    "true_cvr": "pCVR",
}
LABELS: Mapping[Quantity, str] = {
    "ctr": "clicks",
    "ctcvr": "recorded conversions",
    "cvr": "recorded conversions",
    "true_cvr": "the true CVR",
}
RECORDED: Mapping[Quantity, tuple[Space, ...]] = {
    "ctr": ("entire",),
    "ctcvr": ("entire",),
    "cvr": ("clicked",),
}
WITH_TRUTH: Mapping[Quantity, tuple[Space, ...]] = {**RECORDED, "true_cvr": SPACES}


@dataclass(frozen=True)
class Groups:
    """How many groups a metric within groups rests on.

    Attributes:
        used: groups with both classes, and `rows_used` the rows in them.
        one_class: groups that were left out, all of whose labels are the same.
        rows_without: rows that were left out because they have no group.

    >>> Groups(used=2, rows_used=30, one_class=5, rows_without=0).used
    2
    """

    used: int
    rows_used: int
    one_class: int
    rows_without: int


@dataclass(frozen=True)
class MetricValue:
    """A metric on one space: a finite value, or the reason why there is none.

    `rows` counts the rows of the space; `positives` is the sum of their labels (of true CVR where
    that is the label); `groups` is there for metrics within groups. Where rows have weights,
    `weight` is their sum, and a label counts in `positives` as often as its row does. Raises
    `ValueError` unless exactly one of `value` and `undefined` is given.

    >>> MetricValue("cvr_auc", "clicked", None, "no clicked rows", 0, 0.0).value is None
    True
    """

    metric: str
    space: Space
    value: float | None
    undefined: str | None
    rows: int
    positives: float
    groups: Groups | None = None
    weight: float | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.undefined is None):
            raise ValueError(f"{self.metric}: give either a value or the reason for none")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.metric}: {self.value} is not a value, give the reason instead")

    def as_dict(self) -> dict[str, Any]:
        """As written to metrics.json; without `groups` and `weight` where there are none.

        >>> list(MetricValue("cvr_auc", "clicked", 0.5, None, 10, 3.0).as_dict())
        ['metric', 'space', 'value', 'undefined', 'rows', 'positives']
        """
        found = asdict(self)
        return {k: v for k, v in found.items() if v is not None or k in ("value", "undefined")}

    @property
    def size(self) -> float:
        """How many impressions the rows of the space stand for."""
        return self.rows if self.weight is None else self.weight


@dataclass(frozen=True)
class Reported:
    """One figure that a metric gives: of which predictions, on which spaces, in words.

    >>> Reported("ctr", ("entire",), "AUC of pCTR against clicks").quantity
    'ctr'
    """

    quantity: Quantity
    spaces: tuple[Space, ...]
    definition: str


@dataclass(frozen=True)
class Where:
    """The rows that a figure is of, in the words of a message.

    >>> where = Where("conversions", "clicked", 1)
    >>> str(where), where.no_positives, Where("clicks", "entire", 4_294).no_positives
    ('1 clicked row', 'no conversions among 1 clicked row', 'no clicks among 4,294 rows')
    """

    labels: str
    space: Space
    rows: int

    def __str__(self) -> str:
        return f"{self.rows:,} {self._space}row{'s' if self.rows != 1 else ''}"

    @property
    def nothing(self) -> str:
        return f"no {self._space}rows"

    @property
    def no_positives(self) -> str:
        return f"no {self.labels} among {self}"

    @property
    def _space(self) -> str:
        return "" if self.space == "entire" else f"{self.space} "


class State:
    """What a metric keeps of the rows it has seen: here how many, and the sum of their labels.

    Attributes:
        rows: how many rows.
        size: how many impressions they stand for.
        positives: the sum of labels, each as often as its row counts.
        weighted: whether some row had a weight.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.size = 0.0
        self.positives = 0.0
        self.weighted = False

    def add(self, rows: Rows) -> None:
        """Add rows; nothing of their arrays may be held, callers reuse them."""
        self.rows += len(rows)
        self.size += rows.size
        self.positives += rows.positives
        self.weighted |= rows.weight is not None

    def merge(self, other: Any) -> None:
        """Add the rows of `other`, a state of the same kind, which stays as it is."""
        self.rows += other.rows
        self.size += other.size
        self.positives += other.positives
        self.weighted |= other.weighted


S = TypeVar("S", bound=State)
Number = TypeVar("Number", float, NDArray[np.float64])


class Metric(ABC, Generic[S]):
    """A way to condense predictions and labels into one number.

    One object has all there is to a metric: what it keeps of the rows (mergeable over batches and
    workers, in float64), its value, which value is better, what it needs, why it may have no
    value, and its value when rows weigh differently. Derive from `RatioMetric` where the value
    follows from sums over rows, from `RankingMetric` where it takes every score.

    Attributes:
        name: short, part of the names of its figures, such as `auc` in `cvr_auc`.
        definition: in words, to be read before "of pCTR against clicks".
        higher_is_better: None for "the closer to `target` the better".
        target: the ideal value if `higher_is_better` is None, else None.
        needs: columns beside predictions and labels without which there are no figures of it;
            there is one such column, `group`.
        quantities: what it is reported of, on which spaces.
        interval: how its interval over test rows is found: by DeLong's formula, which is for the
            AUC alone, or by the bootstrap.
        undefined_in_one_class: whether it has no value where, and only where, all labels are
            the same.
        constant_in_one_class: whether a constant prediction is best there, so that no model is.
        as_percent: whether tables show it times 100.
        has_baseline: whether predicting the mean label for all rows has a `baseline` to gain over.
        weighs_rows: whether its state adds up rows by `Rows.weight`, as those of `RatioMetric` and
            `RankingMetric` do; if not, it has no value on rows that have weights.
    """

    name: str
    definition: str
    higher_is_better: bool | None = None
    target: float | None = None
    needs: frozenset[str] = frozenset()
    quantities: Mapping[Quantity, tuple[Space, ...]] = RECORDED
    interval: Literal["delong", "bootstrap"] = "bootstrap"
    undefined_in_one_class = False
    constant_in_one_class = False
    as_percent = False
    has_baseline = False
    weighs_rows = False

    @property
    def reported(self) -> Mapping[str, Reported]:
        """Its figures by name: `<quantity>_<name>` for each of `quantities`, unless overridden."""
        return {
            f"{quantity}_{self.name}": Reported(quantity, spaces, self.defined_for(quantity))
            for quantity, spaces in self.quantities.items()
        }

    def defined_for(self, quantity: Quantity) -> str:
        """The definition of a figure, in words."""
        return f"{self.definition} of {PREDICTIONS[quantity]} against {LABELS[quantity]}"

    @property
    def shared_state(self) -> str:
        """Metrics that return the same text keep one state together."""
        return self.name

    @abstractmethod
    def state(self) -> S:
        """An empty state."""

    @abstractmethod
    def compute(self, state: S) -> float | None:
        """The value over all rows of a state that has some; None or not finite: undefined."""

    def undefined(self, state: S, where: Where) -> str:
        """Why `compute` gave no finite value, in words."""
        return f"the sum is not finite over {where}"

    @abstractmethod
    def weighted(self, rows: Rows) -> Callable[[Floats], float]:
        """The value as a function of the weights `(n,)` of these rows; NaN where undefined.

        It is called with many weightings of the same rows: sort here, not there.
        """

    def with_groups(self, state: S) -> tuple[float | None, Groups | None]:
        """The value, and for metrics within groups the groups that it rests on."""
        return self.compute(state), None

    def measured(self, state: S) -> tuple[float | None, Groups | None]:
        """As `with_groups`, with rows counted by their weights if they have some."""
        if state.weighted and not self.weighs_rows:
            return None, None
        return self.with_groups(state)

    def baseline(self, rows: float, positives: float) -> float | None:
        """What the mean label scores as the prediction of every row, if `has_baseline`."""
        return None

    def badness(self, value: Number) -> Number:
        """`value` on a scale where lower is always better."""
        if self.target is not None:
            return abs(value - self.target)
        return -value if self.higher_is_better else value
