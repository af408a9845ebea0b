"""Rows of a log, each seen once, to a judgement of every model: what `postclick judge` runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from postclick.data.read.read_ahead import read_ahead
from postclick.data.read.values.value_rules import ValueRules
from postclick.judging.entire import CLIP
from postclick.judging.exposure import exposure_test
from postclick.judging.predicted.answer import answer_of
from postclick.judging.predicted.clicked import ClickedCollector, ClickedRows
from postclick.judging.predicted.compared import Compared
from postclick.judging.predicted.feature_for import feature_for
from postclick.judging.predicted.features import Feature, Segments
from postclick.judging.predicted.measure import ModelMeasure
from postclick.judging.predicted.piece import Piece, labels_of, piece_of, put_away
from postclick.judging.predicted.prediction_buckets import PredictionBuckets
from postclick.judging.predicted.quantities import asked_for
from postclick.judging.predicted.result import Bucket, JudgedLog, SegmentFigure
from postclick.judging.predicted.rows import JudgedRows
from postclick.judging.predicted.segment_totals import SegmentTotals
from postclick.judging.predicted.spool import Spool
from postclick.judging.predicted.time_feature import Time
from postclick.judging.predicted.units import UNITS
from postclick.judging.predicted.whole_space import WholeSpace, by_exposure
from postclick.metrics.catalogue import METRICS

EXPOSURE = "exposure"


class Engine:
    """Judges the rows that are added; `judged` may be called once.

    Memory: the clicked rows, some sums for each of a fixed number of units, and for the rest what
    `Spool` holds before it writes to disk. Known truth is ranked whole, 8 bytes for each row and
    model more.
    """

    def __init__(
        self,
        models: Sequence[str],
        rules: ValueRules,
        *,
        numeric: Mapping[str, bool] | None = None,
        top: int = 20,
        level: float = 0.95,
        resamples: int = 1000,
        seed: int = 0,
        threads: int = 2,
        propensity: str | None = None,
        clip: float = CLIP,
        reads_exposure: Mapping[str, bool] | None = None,
    ) -> None:
        """`numeric` says of features whether they are numbers, where that is known.

        `propensity` says in words where propensities come from, if the entire space is asked for.
        `reads_exposure` says of models whether they read the exposure, where that is known.
        """
        self._names, self._rules, self._top = tuple(models), rules, top
        self._numeric, self._reads_exposure = numeric or {}, reads_exposure or {}
        self._level, self._resamples, self._seed = level, resamples, seed
        self._threads = threads
        self._whole = None if propensity is None else WholeSpace(models, propensity, clip, level)
        self._features: dict[str, Feature] = {}
        self._spool = Spool()
        self._clicked = ClickedCollector()
        self._buckets = {name: PredictionBuckets() for name in models}
        self._measures: list[ModelMeasure] = []
        self._on_clicks: dict[str, frozenset[str]] = dict.fromkeys(models, frozenset())
        self._present = np.zeros(UNITS, np.bool_)
        self.rows = self.clicks = self.conversions = 0
        self.grouped = False

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: Any) -> None:
        self._spool.__exit__(*error)

    def add(self, rows: JudgedRows) -> None:
        """Add some rows of the log, `n > 0`."""
        if not self._measures:
            self._begin(rows)
        self.rows += len(rows)
        self.clicks += int(np.count_nonzero(rows.click))
        self.conversions += int(np.count_nonzero(rows.conversion))
        self._present[rows.unit] = True
        values = {
            role: self._features[role].read(one)
            for role, one in rows.values.items()
            if role in self._features
        }
        models = {name: one.complete() for name, one in rows.models.items()}
        for name, model in models.items():
            self._on_clicks[name] |= model.on_clicks
        labels = labels_of(rows)
        for measure in self._measures:
            model = models[measure.name]
            measure.collect(labels, model, rows.unit)
            self._buckets[measure.name].sample(model)
        if self._whole is not None:
            self._whole.add(rows, models)
        asks_pctr = self._whole is not None or EXPOSURE in self._features
        self._clicked.add(rows, models, values, pctr=asks_pctr)
        self._spool.add(put_away(rows, values), rows.group)

    def _begin(self, rows: JudgedRows) -> None:
        self.grouped = rows.group is not None
        asked = asked_for(list(METRICS.values()), truth=rows.truth is not None, group=self.grouped)
        self._asked = asked
        self._measures = [ModelMeasure(name, asked, UNITS) for name in self._names]
        # What is cut by its role already is not cut again.
        alone = {rows.values[role].name for role in ("time", EXPOSURE) if role in rows.values}
        for role, column in rows.values.items():
            name = column.name
            if role == "time":
                self._features[role] = Time(name, self._rules)
            elif role == EXPOSURE or (role.startswith("by ") and name not in alone):
                self._features[role] = feature_for(
                    name,
                    column,
                    self._rules,
                    numeric=self._numeric.get(name),
                    top=self._top,
                    asked=role.partition(" ")[0],
                )

    def judged(self, log: str) -> JudgedLog:
        """All figures of what was added."""
        segments = {role: feature.settle() for role, feature in self._features.items()}
        totals = {
            role: SegmentTotals(one.name, one.kind, segments[role])
            for role, one in self._features.items()
        }
        for measure in self._measures:
            measure.ready()
            self._buckets[measure.name].settle()
        with ThreadPoolExecutor(self._threads) as pool:
            pieces = (piece_of(piece, self._on_clicks) for piece in self._spool)
            for piece in read_ahead(pieces):
                self._add_piece(piece, totals, pool)
        for measure in self._measures:
            measure.finish()
        clicked = self._clicked.clicked()
        compared = Compared(
            self._measures,
            self._asked if self._measures else [],
            self._present,
            level=self._level,
            resamples=self._resamples,
            seed=self._seed,
        )
        units = int(np.count_nonzero(self._present))
        judged = JudgedLog(
            log=log,
            models=self._names,
            rows=self.rows,
            clicks=self.clicks,
            conversions=self.conversions,
            unit="group" if self.grouped else "row",
            units=units,
            level=self._level,
            answer=None,
            figures=tuple(compared.figures()),
            differences=tuple(compared.differences()),
            segments=tuple(self._segment_figures(totals, segments, clicked)),
            buckets=tuple(self._all_buckets(clicked)),
            findings=tuple(note for one in self._features.values() for note in one.notes()),
            entire=None if self._whole is None else self._whole.estimates(clicked),
            balance=None if self._whole is None else self._whole.balance(),
            exposure=self._exposure(totals, segments, clicked),
        )
        return replace(judged, answer=answer_of(judged))

    def _add_piece(
        self, piece: Piece, totals: Mapping[str, SegmentTotals], pool: ThreadPoolExecutor
    ) -> None:
        labels, models, unit = piece.labels, piece.models, piece.unit

        def measured(measure: ModelMeasure) -> None:
            model = models[measure.name]
            measure.add(labels, model, unit)
            self._buckets[measure.name].add(labels, model, unit)

        def cut(role: str) -> None:
            feature = self._features[role]
            totals[role].add(feature.of(piece.values[f"value {role}"]), labels, models, unit)

        tasks = [pool.submit(measured, one) for one in self._measures]
        tasks += [pool.submit(cut, role) for role in totals]
        for task in tasks:
            task.result()

    def _segment_figures(
        self,
        totals: Mapping[str, SegmentTotals],
        segments: Mapping[str, Segments],
        clicked: ClickedRows,
    ) -> list[SegmentFigure]:
        found = []
        for role, one in totals.items():
            auc: dict[tuple[str, int], float] = {}
            if role in clicked.features:
                auc = clicked.segment_aucs(self._features[role].of(clicked.features[role]))
            found += one.figures(self._names, self._level, self._seed, auc)
        return found

    def _exposure(
        self,
        totals: Mapping[str, SegmentTotals],
        segments: Mapping[str, Segments],
        clicked: ClickedRows,
    ) -> dict[str, Any] | None:
        if EXPOSURE not in clicked.features or not clicked.pcvr:
            return None
        feature = self._features[EXPOSURE]
        rows, clicks, _ = totals[EXPOSURE].counts()
        code = feature.of(clicked.features[EXPOSURE])
        values, ctr = by_exposure(segments[EXPOSURE].names, code, rows, clicks)
        unit = clicked.unit.astype(np.int64)
        return {
            name: exposure_test(
                pcvr,
                clicked.conversion,
                values,
                ctr=ctr,
                weight=clicked.weight,
                unit=unit,
                name=feature.name,
                level=self._level,
                reads_exposure=self._reads_exposure.get(name, False),
                # A pCTR that may read the exposure would take away what is tested.
                pctr=clicked.pctr.get(name) if self._reads_exposure.get(name) is False else None,
            ).as_dict()
            for name, pcvr in clicked.pcvr.items()
        }

    def _all_buckets(self, clicked: ClickedRows) -> list[Bucket]:
        found = []
        for name in self._names:
            found += self._buckets[name].buckets(name, self._level, self._seed)
            if name in clicked.pcvr:
                found += clicked.reliability(name, self._level, self._seed)
        return found
