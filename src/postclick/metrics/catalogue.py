"""Which figures there are: metrics, ours and others', each of one quantity on its spaces."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from postclick.errors import InputError
from postclick.metrics.auc import AUC
from postclick.metrics.bias import Bias, RelativeBias
from postclick.metrics.gauc import GAUC
from postclick.metrics.metric import Metric, MetricValue, Quantity, Space, State, Where
from postclick.metrics.nll import NLL
from postclick.metrics.pcoc import PCOC
from postclick.registry import Registry, asked_for, place_of
from postclick.suggest import meant

# Our own; one line makes a metric known everywhere.
OURS: tuple[Metric[Any], ...] = (AUC(), NLL(), PCOC(), Bias(), RelativeBias(), GAUC())
# What a metric may ask for beside predictions and labels.
COLUMNS = frozenset({"group"})
_POSITIVES: Mapping[Quantity, str] = {
    "ctr": "clicks",
    "ctcvr": "conversions",
    "cvr": "conversions",
    "true_cvr": "potential conversions",
}


@dataclass(frozen=True)
class Figure:
    """A metric of one quantity: what stands in a table under one name.

    >>> METRICS["cvr_auc"].higher_is_better, METRICS["cvr_auc"].spaces
    (True, ('clicked',))
    >>> METRICS["ctr_pcoc"].higher_is_better, METRICS["ctr_pcoc"].target
    (None, 1.0)
    """

    name: str
    definition: str
    quantity: Quantity
    spaces: tuple[Space, ...]
    metric: Metric[Any]

    @property
    def higher_is_better(self) -> bool | None:
        """True, False, or None for "the closer to `target` the better"."""
        return self.metric.higher_is_better

    @property
    def target(self) -> float | None:
        """The ideal value if `higher_is_better` is None, else None."""
        return self.metric.target

    @property
    def needs(self) -> frozenset[str]:
        """Columns without which there is no such figure."""
        return self.metric.needs

    @property
    def needs_truth(self) -> bool:
        """Whether it needs the true CVR or potential conversions."""
        return self.quantity == "true_cvr"

    @property
    def labels(self) -> str:
        """What its positive labels are called, for messages."""
        return _POSITIVES[self.quantity]

    def measure(self, space: Space, state: State) -> MetricValue:
        """The value over the rows of `state`, or the reason why it has none.

        >>> METRICS["cvr_auc"].measure("clicked", AUC().state()).undefined
        'no clicked rows'
        """
        where = Where(self.labels, space, state.rows)
        value, groups, reason = None, None, where.nothing
        if state.rows:
            value, groups = self.metric.measured(state)
            if value is None or not math.isfinite(value):
                value, reason = None, self._no_value(state, where)
        told = reason if value is None else None
        weight = state.size if state.weighted else None
        counted = (state.rows, state.positives)
        return MetricValue(self.name, space, value, told, *counted, groups, weight)

    def _no_value(self, state: State, where: Where) -> str:
        if state.weighted and not self.metric.weighs_rows:
            return (
                f"metric '{self.metric.name}' knows no row weights: once its state adds up rows by "
                "Rows.weight, set weighs_rows = True"
            )
        if state.weighted and state.size == 0:
            return f"the weight is 0 on all of {where}"
        return self.metric.undefined(state, where)


def figures(metrics: Iterable[Metric[Any]]) -> dict[str, Figure]:
    """The figures of metrics by name, those of recorded labels first.

    Raises:
        InputError: something is no metric, has no direction or both, or needs a column that there
            is not; or two of them have a name in common.

    >>> list(figures([AUC()]))
    ['ctr_auc', 'ctcvr_auc', 'cvr_auc', 'true_cvr_auc']
    """
    names = set[str]()
    found: list[Figure] = []
    for metric in metrics:
        _check(metric)
        if metric.name in names:
            raise InputError(f"there are two metrics called '{metric.name}'; rename one")
        names.add(metric.name)
        found += (
            Figure(name, one.definition, one.quantity, one.spaces, metric)
            for name, one in metric.reported.items()
        )
    named = {figure.name: figure for figure in sorted(found, key=lambda f: f.needs_truth)}
    if len(named) < len(found):
        repeated = next(f for f in found if [g.name for g in found].count(f.name) > 1)
        raise InputError(f"two metrics report a figure '{repeated.name}'; rename one")
    return named


def _check(metric: Any) -> None:
    if not isinstance(metric, Metric):
        raise InputError(f"{metric!r} is no metric; give an object of a class derived from Metric")
    told = f"the metric '{getattr(metric, 'name', type(metric).__name__)}'"
    if not all(isinstance(getattr(metric, key, None), str) for key in ("name", "definition")):
        raise InputError(f"{told} has no name or no definition; give it both")
    if (metric.higher_is_better is None) == (metric.target is None):
        raise InputError(f"{told} needs one direction: either higher_is_better or a target")
    strange = sorted(metric.needs - COLUMNS)
    if strange:
        there = ", ".join(sorted(COLUMNS))
        raise InputError(f"{told} needs a column '{strange[0]}'; what it can have is: {there}")


# Ours, and those that installed packages register as entry points `postclick.metrics`.
REGISTRY: Registry[type[Metric[Any]]] = Registry(
    "metric", "postclick.metrics", {metric.name: type(metric) for metric in OURS}, Metric
)
_registered: list[Metric[Any]] = list(OURS)
_figures: dict[str, Figure] = figures(_registered)


@cache
def _take_installed() -> None:
    """Register metrics of installed packages; one that cannot be loaded is told and left out."""
    for name in REGISTRY.names():
        if name not in REGISTRY.own:
            try:
                _add(_made(REGISTRY.find(name)))
            except InputError as error:
                warnings.warn(f"left out: {error}", stacklevel=2)


def _made(metric: type[Metric[Any]]) -> Metric[Any]:
    """An object of a class that takes no arguments."""
    try:
        return metric()
    except TypeError as error:
        raise InputError(
            f"the metric {place_of(metric)} cannot be made without arguments ({error}): register "
            "an object of it"
        ) from None


def registered() -> Sequence[Metric[Any]]:
    """The metrics that are computed unless others are asked for."""
    _take_installed()
    return tuple(_registered)


def register(metric: Metric[Any] | type[Metric[Any]] | str) -> None:
    """Have a metric computed wherever metrics are, beside those that there are.

    An object, a class that takes no arguments, or its place (`package.module:Class`). Worker
    processes of `compare` and `tune` compute it too. Registered again, a class of the same name
    from the same module takes the place of the one before, as when a notebook's cell is run twice.

    Raises:
        InputError: it is no complete metric, or has a name that is taken.
    """
    _take_installed()
    if isinstance(metric, str):
        metric = REGISTRY.find(asked_for(metric))
    elif isinstance(metric, type):
        metric = REGISTRY.find(metric)
    _add(_made(metric) if isinstance(metric, type) else metric)


def _add(one: Metric[Any]) -> None:
    kept = [held for held in _registered if not _same_class(held, one)]
    found = figures([*kept, one])
    _registered[:] = [*kept, one]
    _figures.clear()
    _figures.update(found)


def added_metrics() -> tuple[Metric[Any], ...]:
    """The metrics that are not ours, for processes that are to have them.

    >>> added_metrics()
    ()
    """
    return tuple(metric for metric in registered() if metric not in OURS)


def _same_class(held: Any, other: Any) -> bool:
    a, b = type(held), type(other)
    same = (a.__module__, a.__qualname__) == (b.__module__, b.__qualname__)
    return same and held.name == getattr(other, "name", None) and held not in OURS


class _Registered(Mapping[str, Figure]):
    """The figures of what is registered now, by name; to be read only."""

    def __getitem__(self, name: str) -> Figure:
        _take_installed()
        return _figures[name]

    def __iter__(self) -> Iterator[str]:
        _take_installed()
        return iter(_figures)

    def __len__(self) -> int:
        _take_installed()
        return len(_figures)


METRICS: Mapping[str, Figure] = _Registered()


def added() -> list[Figure]:
    """The figures of metrics that are not ours, in the order in which they were registered.

    >>> added()
    []
    """
    return [figure for figure in METRICS.values() if figure.metric not in OURS]


def figure_named(name: str) -> Figure:
    """The figure called `name`. Raises `InputError` for an unknown name.

    >>> figure_named("cvr_nll").higher_is_better
    False
    """
    if name not in METRICS:
        raise InputError(
            f"there is no metric '{name}'{meant(name, METRICS)}"
            f"; there are: {', '.join(METRICS)}; one of your own has to "
            "be registered, or given as --metric package.module:Class"
        )
    return METRICS[name]


def metric_named(name: str) -> Metric[Any]:
    """The metric called `name`, of whatever quantity. Raises `InputError` for an unknown name.

    >>> metric_named("pcoc").target
    1.0
    """
    found = {metric.name: metric for metric in registered()}
    if name not in found:
        raise InputError(
            f"there is no metric '{name}'{meant(name, found)}; there are: {', '.join(found)}"
        )
    return found[name]


def badness(figure: str | Figure, value: float) -> float:
    """`value` on a scale where lower is always better: `-value`, `value` or `|value - target|`.

    Raises `InputError` for an unknown metric and for NaN, which is neither good nor bad.

    >>> badness("cvr_pcoc", 0.75), badness("cvr_auc", 0.75)
    (0.25, -0.75)
    """
    entry = figure_named(figure) if isinstance(figure, str) else figure
    if math.isnan(value):
        raise InputError(f"{entry.name} is NaN; leave undefined values out before comparing")
    return entry.metric.badness(value)


def better(figure: str | Figure, a: float, b: float) -> bool:
    """Whether `a` is strictly better than `b`. Raises `InputError` as `badness` does.

    >>> better("cvr_auc", 0.7, 0.6), better("cvr_nll", 0.7, 0.6), better("cvr_pcoc", 1.1, 0.8)
    (True, False, True)
    """
    return badness(figure, a) < badness(figure, b)
