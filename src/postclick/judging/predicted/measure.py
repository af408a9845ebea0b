"""Every figure of every model from rows that come piece by piece, and what each unit adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.judging.predicted.quantities import Asked, Labels, rows_of
from postclick.judging.predicted.rows import Predicted
from postclick.judging.predicted.streamed_auc import AucParts, StreamedAuc
from postclick.judging.predicted.totals import (
    RatioTotals,
    UnitTotals,
    add_labels,
    ratio_metrics,
    weighted,
)
from postclick.metrics.auc import AUC
from postclick.metrics.catalogue import OURS, Figure
from postclick.metrics.gauc import GAUC, GroupedScores
from postclick.metrics.metric import State
from postclick.metrics.rows import Rows

Unit = NDArray[np.integer[Any]]


@dataclass
class Positives:
    """Rows with a positive label of one quantity on one space, kept to rank the others among."""

    score: list[NDArray[Any]] = field(default_factory=list)
    mass: list[NDArray[Any] | None] = field(default_factory=list)
    unit: list[Unit] = field(default_factory=list)

    def add(self, rows: Rows, unit: Unit) -> None:
        positive, mass = masses(rows, up=True)
        self.score.append(np.array(rows.score[positive]))
        self.mass.append(None if mass is None else mass)
        self.unit.append(np.array(unit[positive]))

    def ranking(self, units: int) -> StreamedAuc:
        if not self.score:
            return StreamedAuc(np.zeros(0), None, np.zeros(0, np.int64), units)
        mass = None
        if any(one is not None for one in self.mass):
            pieces = zip(self.mass, self.score, strict=True)
            mass = np.concatenate([np.ones(s.size) if m is None else m for m, s in pieces])
        score, self.score, self.mass = np.concatenate(self.score), [], []
        unit, self.unit = np.concatenate(self.unit), []
        return StreamedAuc(score, mass, unit, units)


class ModelMeasure:
    """All figures of one model.

    Rows are seen twice: `collect` takes the positive ones, `add` then all of them.
    """

    def __init__(self, name: str, asked: Sequence[tuple[Asked, Figure]], units: int) -> None:
        self.name = name
        self.totals = UnitTotals(units)
        self._asked, self._units = asked, units
        self._figures: dict[Asked, list[Figure]] = {}
        for one, figure in asked:
            self._figures.setdefault(one, []).append(figure)
        self._logits = any(figure.metric not in OURS for _, figure in asked)
        self.ratios = {
            one: RatioTotals(
                ratio_metrics(f.metric for f in figures), (name, one.quantity, one.space)
            )
            for one, figures in self._figures.items()
        }
        self._positives = {
            one: Positives() for one, figures in self._figures.items() if _ranked(figures)
        }
        self._rankings: dict[Asked, StreamedAuc] = {}
        self.aucs: dict[Asked, AucParts] = {}
        self.states: dict[tuple[Asked, str], State] = {}
        self.groups: dict[Asked, int] = {}
        self.rows: dict[Asked, int] = {}

    def collect(self, labels: Labels, model: Predicted, unit: Unit) -> None:
        """First time: the rows that others are ranked among."""
        for one, positives in self._positives.items():
            found = rows_of(one, labels, model, logits=self._logits)
            if found is not None:
                rows, chosen = found
                positives.add(rows, unit if chosen is None else unit[chosen])

    def ready(self) -> None:
        """All rows have been collected."""
        self._rankings = {one: p.ranking(self._units) for one, p in self._positives.items()}

    def add(self, labels: Labels, model: Predicted, unit: Unit) -> None:
        """Second time: everything; all rows of a group come at once."""
        for one, figures in self._figures.items():
            found = rows_of(one, labels, model, logits=self._logits)
            if found is None:
                continue
            rows, chosen = found
            self.rows[one] = self.rows.get(one, 0) + len(rows)
            of_row = unit if chosen is None else unit[chosen]
            self.ratios[one].add(self.totals, rows, of_row)
            add_labels(self.totals, (one.quantity, one.space), rows, of_row)
            if one in self._rankings:
                negative, mass = masses(rows, up=False)
                self._rankings[one].add(rows.score[negative], mass, of_row[negative])
            for figure in figures:
                if type(figure.metric) is GAUC:
                    assert labels.dense is not None
                    dense = labels.dense if chosen is None else labels.dense[chosen]
                    self._add_groups(one, rows, dense, of_row)
                elif not _has_parts(figure):
                    key = (one, figure.metric.shared_state)
                    if key not in self.states:
                        self.states[key] = figure.metric.state()
                    self.states[key].add(rows)

    def finish(self) -> None:
        """All rows have been added."""
        self.aucs = {one: ranking.parts() for one, ranking in self._rankings.items()}
        self._rankings = {}

    @property
    def predicted(self) -> set[Asked]:
        """The quantities that it predicts, on their spaces."""
        return set(self.rows)

    def _add_groups(self, one: Asked, rows: Rows, group: NDArray[np.int64], unit: Unit) -> None:
        """Add the AUC of each group; those of one class have none and are not even sorted."""
        positives = np.bincount(group, rows.label)
        both = (positives > 0) & (np.bincount(group) > positives)
        both[:1] = False  # rows without a group; there may be no row at all
        kept = np.flatnonzero(both[group])
        if not kept.size:
            return
        grouped = GroupedScores(rows.score[kept], rows.label[kept], group[kept])
        up, down = grouped.positive, grouped.negative
        if rows.weight is None:
            auc, mass = grouped.by_group(up, down)
        else:
            of_row = rows.weight[kept][grouped.order]
            auc, mass = grouped.by_group(of_row * up, of_row * down)
        defined = ~np.isnan(auc)
        self.groups[one] = self.groups.get(one, 0) + int(np.count_nonzero(defined))
        of_group = unit[kept][grouped.order[grouped.first]][defined]
        name = (self.name, one.quantity, one.space, "gauc")
        self.totals.add((*name, "mass"), of_group, mass[defined])
        self.totals.add((*name, "sum"), of_group, (auc * mass)[defined])


def masses(rows: Rows, *, up: bool) -> tuple[NDArray[np.bool_], NDArray[Any] | None]:
    """The rows that are positive (or negative), and their masses; None for 1 each."""
    if rows.label.dtype.kind == "b":
        chosen = rows.label if up else ~rows.label
        return chosen, None if rows.weight is None else rows.weight[chosen]
    soft = rows.label.astype(np.float64)
    mass = weighted(soft if up else 1.0 - soft, rows.weight)
    chosen = mass > 0
    return chosen, mass[chosen]


def _ranked(figures: Sequence[Figure]) -> bool:
    return any(type(figure.metric) is AUC for figure in figures)


def _has_parts(figure: Figure) -> bool:
    """Whether its value follows from sums by unit."""
    return type(figure.metric) in (AUC, GAUC) or bool(ratio_metrics([figure.metric]))
