"""How a log is judged, settled before its rows are read; and the reading itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from postclick.data.read.heeded import decimal_of
from postclick.data.read.log_source import LogSource
from postclick.data.read.read_ahead import read_ahead
from postclick.data.read.values.value_rules import ValueRules
from postclick.errors import InputError
from postclick.judgements import notes
from postclick.judgements.models import Model
from postclick.judging.entire import FittedPropensity, PropensityFit
from postclick.judging.predicted.columns import ModelColumns, Roles
from postclick.judging.predicted.engine import Engine
from postclick.judging.predicted.read_rows import LogOfPredictions, OnBadRows
from postclick.judging.predicted.result import JudgedLog
from postclick.judging.predicted.whole_space import fitted_source
from postclick.progress import Reporter
from postclick.spelling import counted, option

# Propensities that are no column: fitted here, or each model's own.
FIT, OWN = "fit", "pctr"


@dataclass(frozen=True)
class Plan:
    """What is judged and how.

    Attributes:
        models: by name, the one to beat first.
        numeric: of features, whether they are numbers, where a schema says so.
        read: how text is written, `KEY=VALUE` each.
        propensity: "fit", "pctr", a column, or None where the entire space is not asked for.
    """

    models: Mapping[str, Model]
    roles: Roles
    rules: ValueRules
    numeric: Mapping[str, bool]
    propensity: str | None
    clip: float
    on_bad_rows: OnBadRows
    top: int
    level: float
    resamples: int
    seed: int
    read: Sequence[str] = ()

    def judged(self, source: LogSource, reporter: Reporter) -> JudgedLog:
        """Read the log, once, or twice to fit a propensity, and judge it.

        Raises:
            InputError: a value cannot be used, or there is no row.
        """
        fitted = self._fitted(source, reporter) if self.propensity == FIT else None
        decimal = decimal_of(self.read, source)
        models = {
            name: one if isinstance(one, ModelColumns) else one.reading(decimal)
            for name, one in self.models.items()
        }
        log = LogOfPredictions(
            source,
            self.roles,
            models,
            rules=self.rules,
            on_bad_rows=self.on_bad_rows,
            fitted=fitted,
        )
        weight = 0.0
        with self._engine() as engine, self._engine() as random:
            reporter.start("judge", None, "rows")
            for rows in read_ahead(log.rows()):
                engine.add(rows)
                weight += 0.0 if rows.weight is None else float(rows.weight.sum())
                reporter.advance(len(rows))
                if rows.randomised is not None and (rows.randomised > 0).any():
                    drawn = rows.randomised > 0
                    random.add(rows.where(drawn).weighing(1.0 / rows.randomised[drawn]))
            if not engine.rows:
                raise InputError(f"{source.name} has no rows to judge")
            if self.roles.weight is not None and not weight:
                raise InputError(
                    f"{source.name}: all weights ({self.roles.weight!r}) are 0, so that nothing "
                    f"is left to judge: name another column with {option('weight')}, or none"
                )
            judged = engine.judged(source.name)
            if random.rows:
                part = random.judged(f"{source.name}, randomised rows")
                judged = replace(judged, randomised=part)
        findings = (
            *self._findings(log),
            *judged.findings,
            *notes.lacking(log.lacking, judged.rows - judged.clicks),
            *notes.disagreeing(log.agreement),
            *notes.groupless(self.roles.group, log.groupless, judged.rows),
            *notes.weights(self.roles.weight, judged, weight),
            *notes.infinite(judged),
            *notes.few_groups(judged),
        )
        if self.roles.randomised is not None and not random.rows:
            findings = (
                *findings,
                f"no row has a {self.roles.randomised!r} above 0: none is random",
            )
        return replace(judged, findings=findings, roles=self.roles.columns)

    def _engine(self) -> Engine:
        return Engine(
            list(self.models),
            self.rules,
            numeric=self.numeric,
            top=self.top,
            level=self.level,
            resamples=self.resamples,
            seed=self.seed,
            threads=min(len(self.models), os.cpu_count() or 1),
            propensity=self._propensity_words(),
            clip=self.clip,
            reads_exposure={
                name: self.roles.exposure in model.features
                for name, model in self.models.items()
                if not isinstance(model, ModelColumns)
            },
        )

    def _propensity_words(self) -> str | None:
        if self.propensity is None:
            return None
        if self.propensity == FIT:
            return fitted_source(self.roles.features)
        if self.propensity == OWN:
            return "each model's own pCTR"
        return f"logged in column {self.propensity}"

    def _fitted(self, source: LogSource, reporter: Reporter) -> FittedPropensity:
        fit = PropensityFit(
            self.roles.features,
            categorical=[n for n in self.roles.features if self.numeric.get(n) is False],
            numeric=[n for n in self.roles.features if self.numeric.get(n)],
            seed=self.seed,
        )
        roles = replace(self.roles, by=(), propensity=None, time=None, exposure=None)
        log = LogOfPredictions(source, roles, {}, rules=self.rules, on_bad_rows=self.on_bad_rows)
        reporter.start("fit propensity", None, "rows")
        for rows in read_ahead(log.rows()):
            frame = rows.frame("feature ")
            fit.add(frame, rows.click, rows.unit.astype(np.int64), rows.weight)
            reporter.advance(len(rows))
        return fit.fit()

    def _findings(self, log: LogOfPredictions) -> tuple[str, ...]:
        found = list(log.source.notes)
        found += [
            f"left out {counted(count, 'row')}: {what}" for what, count in log.dropped.items()
        ]
        unknown = [n for n, one in self.models.items() if isinstance(one, ModelColumns)]
        if self.roles.exposure is not None and unknown:
            found.append(
                f"the test by {self.roles.exposure} is for models that do not read it: of "
                f"{', '.join(unknown)} that is not known, and one that reads it may only fit it ill"
            )
        if self.roles.group is None:
            found.append(
                "rows are taken as independent; where users or requests repeat, name them with "
                f"{option('group')}, or intervals are too narrow"
            )
        return tuple(found)
