"""What a search found: best.yaml, trials.parquet, importance."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import polars as pl
from optuna.trial import FrozenTrial, TrialState

from postclick.errors import InputError
from postclick.experiments.tuning.optuna_study import (
    finished_trials,
    journal_value,
    place_of,
    quiet,
    values_of,
)
from postclick.experiments.tuning.search_space import Range, SearchSpace
from postclick.ranges import Interval
from postclick.runs.settings import RunSettings, value_of
from postclick.system.files import write_bytes, write_text

BEST, FRAME = "best.yaml", "trials.parquet"
STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
# Fewer complete trials say nothing of importance.
IMPORTANCE_TRIALS = 10


@dataclass(frozen=True)
class Tuning:
    """Results of a search.

    Attributes:
        folder: where best.yaml, trials.parquet and the journal are.
        metric: what was tuned, on the validation split.
        trials: one row per finished trial: number, state, value (null if it failed; of a pruned
            trial the last before it ended), epochs, seconds, reason, and a column per setting.
        best: the settings of the best trial.
        best_trial, value: its number and what it reached.
        defaults: the first trial's settings that the search varies.
        default_value: what the defaults reached; `None` if they diverged, were pruned or
            interrupted.
        importance: the share of each setting in what the metric varies by (PED-ANOVA), largest
            first; empty with fewer than ten complete trials.
    """

    folder: Path
    metric: str
    trials: pl.DataFrame
    best: RunSettings
    best_trial: int
    value: float
    defaults: Mapping[str, Any]
    default_value: float | None
    importance: Mapping[str, float]

    @property
    def chosen(self) -> dict[str, Any]:
        """The settings of the best trial that the search varies."""
        return {name: value_of(self.best, name) for name in self.defaults}

    @property
    def gain(self) -> float | None:
        """By how much the best trial is better than the defaults, on validation."""
        return None if self.default_value is None else abs(self.value - self.default_value)

    @property
    def counts(self) -> dict[str, int]:
        """Trials by state."""
        states = self.trials["state"].to_list()
        return {state: states.count(state) for state in STATES.values()}

    def as_dict(self) -> dict[str, Any]:
        """As printed by `postclick tune --json`."""
        return {
            "folder": str(self.folder),
            "method": self.best.method,
            "metric": self.metric,
            "trials": self.counts,
            "best": {"trial": self.best_trial, "value": self.value, "settings": self.chosen},
            "defaults": {"value": self.default_value, "settings": dict(self.defaults)},
            "gain": self.gain,
            "importance": dict(self.importance),
            "reasons": [r for r in self.trials["reason"].to_list() if r is not None],
        }


def write_result(study: optuna.Study, space: SearchSpace, out: Path) -> Tuning:
    """Write best.yaml and trials.parquet into `out`.

    Raises:
        InputError: no trial is complete.
    """
    trials = finished_trials(study)
    frame = _frame(trials, space.ranges)
    parquet = io.BytesIO()
    frame.write_parquet(parquet)
    write_bytes(out / FRAME, parquet.getvalue())
    complete = [t for t in trials if t.state == TrialState.COMPLETE]
    if not complete:
        reason = next((t.user_attrs["reason"] for t in trials), "none has begun")
        raise InputError(f"no trial is complete: {reason}")
    best = study.best_trial
    assert best.value is not None
    settings = space.settings(values_of(best.params, space.ranges))
    write_text(out / BEST, settings.to_yaml())
    first = next((t for t in complete if place_of(t) == "trial-0"), None)
    return Tuning(
        folder=out,
        metric=space.base.training.monitor,
        trials=frame,
        best=settings,
        best_trial=best.number,
        value=best.value,
        defaults=space.first,
        default_value=None if first is None else first.value,
        importance=_importance(study, complete),
    )


def _importance(study: optuna.Study, complete: Sequence[FrozenTrial]) -> dict[str, float]:
    if len(complete) < IMPORTANCE_TRIALS or len({t.value for t in complete}) == 1:
        return {}
    with quiet():
        found = optuna.importance.get_param_importances(study)
    return {name: float(share) for name, share in found.items()}


def _frame(trials: Sequence[FrozenTrial], ranges: Mapping[str, Range]) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {
        "number": pl.Series([t.number for t in trials], dtype=pl.Int32),
        "state": pl.Series([STATES[t.state] for t in trials], dtype=pl.String),
        "value": pl.Series([t.value for t in trials], dtype=pl.Float64),
        "epochs": pl.Series([t.user_attrs.get("epochs") for t in trials], dtype=pl.Int32),
        "seconds": pl.Series([t.user_attrs.get("seconds") for t in trials], dtype=pl.Float64),
        "reason": pl.Series([t.user_attrs.get("reason") for t in trials], dtype=pl.String),
    }
    for name, found in ranges.items():
        columns[name] = pl.Series([t.params.get(name) for t in trials], dtype=_type(found))
    return pl.DataFrame(columns)


def _type(found: Range) -> pl.DataType:
    if isinstance(found, Interval):
        return pl.Float64()
    kinds = {type(journal_value(value)) for value in found.values} - {type(None)}
    if kinds <= {bool}:
        return pl.Boolean()
    if kinds <= {int}:
        return pl.Int64()
    return pl.Float64() if kinds <= {int, float} else pl.String()
