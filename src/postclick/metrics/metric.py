"""What each metric is called, means and is reported on, and which of two values is better."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, get_args

from postclick.errors import InputError

Space = Literal["clicked", "unclicked", "entire"]
Quantity = Literal["ctr", "ctcvr", "cvr", "true_cvr"]

SPACES: tuple[Space, ...] = get_args(Space)


class Statistic(StrEnum):
    """How a metric condenses predictions and labels into one number.

    >>> Statistic.PCOC.value
    'pcoc'
    """

    AUC = "auc"
    NLL = "nll"
    PCOC = "pcoc"
    BIAS = "bias"
    RELATIVE_BIAS = "relative_bias"


_DIRECTION: Mapping[Statistic, tuple[bool | None, float | None]] = {
    Statistic.AUC: (True, None),
    Statistic.NLL: (False, None),
    Statistic.PCOC: (None, 1.0),
    Statistic.BIAS: (None, 0.0),
    Statistic.RELATIVE_BIAS: (None, 0.0),
}

_LABELS: Mapping[Quantity, str] = {
    "ctr": "clicks",
    "ctcvr": "conversions",
    "cvr": "conversions",
    "true_cvr": "potential conversions",
}


@dataclass(frozen=True)
class Metric:
    """One entry of the registry; the direction follows from the statistic.

    >>> METRICS["cvr_auc"].higher_is_better, METRICS["cvr_auc"].spaces
    (True, ('clicked',))
    >>> METRICS["ctr_pcoc"].higher_is_better, METRICS["ctr_pcoc"].target
    (None, 1.0)
    """

    name: str
    definition: str
    quantity: Quantity
    statistic: Statistic
    spaces: tuple[Space, ...]

    @property
    def higher_is_better(self) -> bool | None:
        """True, False, or None for "the closer to `target` the better"."""
        return _DIRECTION[self.statistic][0]

    @property
    def target(self) -> float | None:
        """The ideal value if `higher_is_better` is None, else None."""
        return _DIRECTION[self.statistic][1]

    @property
    def needs_truth(self) -> bool:
        """Whether it needs the true CVR or potential conversions."""
        return self.quantity == "true_cvr"

    @property
    def labels(self) -> str:
        """What its positive labels are called, for messages."""
        return _LABELS[self.quantity]


def _registry() -> Mapping[str, Metric]:
    entire: tuple[Space, ...] = ("entire",)
    clicked: tuple[Space, ...] = ("clicked",)
    auc, nll, pcoc = Statistic.AUC, Statistic.NLL, Statistic.PCOC
    bias, relative = Statistic.BIAS, Statistic.RELATIVE_BIAS
    rows = (
        Metric("ctr_auc", "AUC of pCTR against clicks", "ctr", auc, entire),
        Metric("ctcvr_auc", "AUC of pCTCVR against recorded conversions", "ctcvr", auc, entire),
        Metric("cvr_auc", "AUC of pCVR against recorded conversions", "cvr", auc, clicked),
        Metric("ctr_nll", "mean cross-entropy of pCTR against clicks", "ctr", nll, entire),
        Metric(
            "ctcvr_nll",
            "mean cross-entropy of pCTCVR against recorded conversions",
            "ctcvr",
            nll,
            entire,
        ),
        Metric(
            "cvr_nll",
            "mean cross-entropy of pCVR against recorded conversions",
            "cvr",
            nll,
            clicked,
        ),
        Metric("ctr_pcoc", "sum of pCTR / clicks", "ctr", pcoc, entire),
        Metric("ctcvr_pcoc", "sum of pCTCVR / recorded conversions", "ctcvr", pcoc, entire),
        Metric("cvr_pcoc", "sum of pCVR / recorded conversions", "cvr", pcoc, clicked),
        Metric(
            "cvr_bias_recorded",
            "mean pCVR - mean recorded conversion over all impressions; unclicked rows are recorded"
            " as 0, so it penalises correct predictions on unclicked rows",
            "cvr",
            bias,
            entire,
        ),
        Metric("true_cvr_auc", "AUC of pCVR against the true CVR", "true_cvr", auc, SPACES),
        Metric(
            "true_cvr_nll",
            "mean cross-entropy of pCVR against the true CVR",
            "true_cvr",
            nll,
            SPACES,
        ),
        Metric("cvr_bias", "mean pCVR - mean true CVR", "true_cvr", bias, SPACES),
        Metric("cvr_relative_bias", "mean pCVR / mean true CVR - 1", "true_cvr", relative, SPACES),
    )
    return MappingProxyType({row.name: row for row in rows})


METRICS: Mapping[str, Metric] = _registry()


def metric_named(name: str) -> Metric:
    """The registered metric called `name`. Raises `InputError` for an unknown name.

    >>> metric_named("cvr_nll").higher_is_better
    False
    """
    if name not in METRICS:
        raise InputError(f"there is no metric '{name}'; there are: {', '.join(METRICS)}")
    return METRICS[name]


def badness(metric: str | Metric, value: float) -> float:
    """`value` on a scale where lower is always better: `-value`, `value` or `|value - target|`.

    Raises `InputError` for an unknown metric and for NaN, which is neither good nor bad.

    >>> badness("cvr_pcoc", 0.75), badness("cvr_auc", 0.75)
    (0.25, -0.75)
    """
    entry = metric_named(metric) if isinstance(metric, str) else metric
    if math.isnan(value):
        raise InputError(f"{entry.name} is NaN; leave undefined values out before comparing")
    if entry.target is not None:
        return abs(value - entry.target)
    return -value if entry.higher_is_better else value


def better(metric: str | Metric, a: float, b: float) -> bool:
    """Whether `a` is strictly better than `b`. Raises `InputError` as `badness` does.

    >>> better("cvr_auc", 0.7, 0.6), better("cvr_nll", 0.7, 0.6), better("cvr_pcoc", 1.1, 0.8)
    (True, False, True)
    """
    return badness(metric, a) < badness(metric, b)


@dataclass(frozen=True)
class MetricValue:
    """A metric on one space: a finite value, or the reason why there is none.

    `rows` counts the rows of the space; `positives` is the sum of their labels (of true CVR where
    that is the label). Raises `ValueError` unless exactly one of `value` and `undefined` is given.

    >>> MetricValue("cvr_auc", "clicked", None, "no clicked rows", 0, 0.0).value is None
    True
    """

    metric: str
    space: Space
    value: float | None
    undefined: str | None
    rows: int
    positives: float

    def __post_init__(self) -> None:
        if (self.value is None) == (self.undefined is None):
            raise ValueError(f"{self.metric}: give either a value or the reason for none")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.metric}: {self.value} is not a value, give the reason instead")
