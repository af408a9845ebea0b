"""Figures with their intervals, and models against each other, from what was measured by unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from postclick.judging.predicted import result
from postclick.judging.predicted.measure import ModelMeasure
from postclick.judging.predicted.quantities import Asked
from postclick.judging.predicted.streamed_auc import AucParts, influence_error
from postclick.judging.predicted.totals import interval, resampled_together
from postclick.metrics.auc import AUC
from postclick.metrics.catalogue import Figure
from postclick.metrics.gauc import GAUC
from postclick.metrics.metric import Where
from postclick.metrics.ratio import RatioMetric
from postclick.stats.interval import normal_quantile
from postclick.stats.paired import holm
from postclick.stats.power import detectable_difference
from postclick.stats.tails import normal_p

Floats = NDArray[np.float64]
# With fewer rows of either class, or fewer units, no interval or test of a difference holds.
LEAST = 10


class Compared:
    """The figures of all models on one log.

    Every model's sums are resampled with the same weights of the same units, so that differences
    are paired.
    """

    def __init__(
        self,
        models: Sequence[ModelMeasure],
        asked: Sequence[tuple[Asked, Figure]],
        present: NDArray[np.bool_],
        *,
        level: float,
        resamples: int,
        seed: int,
    ) -> None:
        self._models = {model.name: model for model in models}
        self._asked, self._level = asked, level
        self._enough_units = int(np.count_nonzero(present)) >= LEAST
        drawn = resampled_together([m.totals for m in models], present, resamples, seed)
        self._drawn = {model.name: one for model, one in zip(models, drawn, strict=True)}
        self._z = normal_quantile(level)

    def figures(self) -> list[result.Figure]:
        """Every figure of every model, in the order of the registry."""
        return [
            self._figure(model, one, figure)
            for one, figure in self._asked
            for model in self._models.values()
            if one in model.predicted
        ]

    def differences(self) -> list[result.Difference]:
        """Every model against every other, by each figure that both have.

        None where fewer than `LEAST` rows have or lack a positive label, or units are fewer.
        """
        found = []
        for one, figure in self._asked:
            for against in self._models:
                others = [name for name in self._models if name != against]
                gains = {
                    name: gain
                    for name in others
                    if (gain := self._gain(name, against, one, figure)) is not None
                }
                adjusted = holm([p for *_, p in gains.values()])
                for (name, gain), p_holm in zip(gains.items(), adjusted, strict=True):
                    value, error, low, high, p = gain
                    found.append(
                        result.Difference(
                            figure.name,
                            one.space,
                            name,
                            against,
                            value,
                            low,
                            high,
                            error,
                            p,
                            p_holm,
                            detectable_difference(error, self._level),
                        )
                    )
        return found

    def _figure(self, model: ModelMeasure, one: Asked, figure: Figure) -> result.Figure:
        drawn = self._drawn[model.name]
        shared = (one.quantity, one.space)
        positives = float(drawn["positives", *shared][0])
        size = float(drawn["size", *shared][0])
        rows = model.rows[one]
        where = Where(figure.labels, one.space, rows)
        value, ends, undefined, groups = None, None, where.nothing, None
        metric = figure.metric
        if rows and size == 0:
            undefined = f"the weight is 0 on all of {where}"
        elif rows and type(metric) is AUC:
            parts = model.aucs[one]
            undefined = (
                where.no_positives
                if parts.positives == 0
                else f"no negatives: {where.labels} on all {where}"
            )
            value, ends = parts.value, self._auc_ends(parts)
        elif rows and type(metric) is GAUC:
            groups = model.groups.get(one, 0)
            undefined = f"no group has both classes: {where.labels} and other rows, among {where}"
            value, ends = self._resampled(self._gauc(model.name, one))
        elif rows and isinstance(metric, RatioMetric):
            undefined = f"sum of labels is 0: {where.no_positives}"
            if positives or not metric.over_positives:
                undefined = "infinite: a prediction of exactly 0 or 1 was wrong"
            value, ends = self._resampled(model.ratios[one].values(metric, drawn))
        elif rows:
            state = model.states[one, metric.shared_state]
            measured = figure.measure(one.space, state)
            value, undefined = measured.value, measured.undefined or ""
        known = value is not None
        ends = ends if self._enough_units else None
        error, low, high = ends if known and ends is not None else (None, None, None)
        return result.Figure(
            model.name,
            figure.name,
            one.space,
            value,
            low,
            high,
            error,
            None if known else undefined,
            rows,
            positives,
            size if size != rows else None,
            groups,
        )

    def _gauc(self, model: str, one: Asked) -> Floats:
        drawn = self._drawn[model]
        name = (model, one.quantity, one.space, "gauc")
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(drawn[(*name, "sum")] / drawn[(*name, "mass")])

    def _resampled(self, values: Floats) -> tuple[float | None, tuple[float, float, float] | None]:
        if not math.isfinite(values[0]):
            return None, None
        return float(values[0]), interval(values[1:], self._level)

    def _auc_ends(self, parts: AucParts) -> tuple[float, float, float] | None:
        if parts.value is None:
            return None
        error = parts.standard_error
        half = self._z * error
        return error, max(0.0, parts.value - half), min(1.0, parts.value + half)

    def _gain(
        self, name: str, against: str, one: Asked, figure: Figure
    ) -> tuple[float, float, float, float, float] | None:
        """Gain, standard error, ends of its interval, and p."""
        a, b = self._models[name], self._models[against]
        if one not in a.predicted or one not in b.predicted or not self._enough(a, one):
            return None
        metric = figure.metric
        if type(metric) is AUC:
            first, second = a.aucs[one], b.aucs[one]
            if first.value is None or second.value is None:
                return None
            gain = first.value - second.value
            error = influence_error(first.influence - second.influence)
            half = self._z * error
            return gain, error, gain - half, gain + half, two_sided(gain, error)
        if type(metric) is GAUC:
            values = [self._gauc(each, one) for each in (name, against)]
        elif isinstance(metric, RatioMetric):
            values = [m.ratios[one].values(metric, self._drawn[m.name]) for m in (a, b)]
        else:
            return None
        with np.errstate(invalid="ignore"):
            gains = metric.badness(values[1]) - metric.badness(values[0])
        ends = interval(gains[1:], self._level)
        if not math.isfinite(gains[0]) or ends is None:
            return None
        error, low, high = ends
        return float(gains[0]), error, low, high, percentile_p(gains)

    def _enough(self, model: ModelMeasure, one: Asked) -> bool:
        """Whether there are rows of both classes enough, and units, to tell models apart."""
        drawn = self._drawn[model.name]
        positives = float(drawn["positives", one.quantity, one.space][0])
        size = float(drawn["size", one.quantity, one.space][0])
        return self._enough_units and min(positives, size - positives) >= LEAST


def percentile_p(gains: Floats) -> float:
    """Two-sided p of a gain from its resamples (the first value is the sample's own).

    Twice the share on the smaller side of 0, so that it goes with the percentile interval also
    where the gain is not normal, as distances to 1 are not.

    >>> percentile_p(np.array([0.0, 0.0, 0.0])), percentile_p(np.array([1.0, *np.ones(999)]))
    (1.0, 0.002)
    """
    drawn = gains[1:][np.isfinite(gains[1:])]
    side = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    return float(min(1.0, 2.0 * (side + 1) / (drawn.size + 1)))


def two_sided(value: float, error: float) -> float:
    """The p-value of a difference under a normal distribution; 1 where there is none at all.

    >>> round(two_sided(1.96, 1.0), 3), two_sided(0.0, 0.0), two_sided(0.1, 0.0)
    (0.05, 1.0, 0.0)
    """
    if error <= 0:
        return 1.0 if value == 0 else 0.0
    return normal_p(value / error)
