"""`judge`: predictions of any models on a log of any day, to what to do and all figures."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from math import ceil
from pathlib import Path
from typing import Any

from postclick.data.read.heeded import decimal_of, require_heeded
from postclick.data.read.log_source import LogSource
from postclick.data.read.opening import LogLike, open_log
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.schema import LogSchema
from postclick.data.schema.read_options import read_settings
from postclick.data.schema.reading import ReadSettings, SchemaReading
from postclick.errors import InputError
from postclick.judgements import notes
from postclick.judgements.command import judge_again
from postclick.judgements.models import Model, ModelsLike, models_of, predicts_clicks, with_exposure
from postclick.judgements.plan import FIT, OWN, Plan
from postclick.judgements.write import check_place, write_judgement
from postclick.judging.entire import CLIP
from postclick.judging.predicted.columns import ModelColumns, Roles, given_roles, roles_of
from postclick.judging.predicted.read_rows import OnBadRows
from postclick.judging.predicted.result import JudgedLog
from postclick.progress import Reporter, Silent
from postclick.spelling import option
from postclick.suggest import meant

# Quantiles of fewer say nothing.
FEWEST_RESAMPLES = 40
SchemaLike = LogSchema | str | Path | Mapping[str, Any]


def judge(
    *logs: LogLike,
    models: ModelsLike | None = None,
    out: str | Path | None = None,
    schema: SchemaLike | None = None,
    click: Any = None,
    conversion: Any = None,
    by: str | Sequence[str] = (),
    group: str | None = None,
    weight: str | None = None,
    time: str | None = None,
    exposure: str | None = None,
    propensity: str | None = None,
    features: str | Sequence[str] = (),
    clip: float = CLIP,
    true_cvr: str | None = None,
    potential_conversion: str | None = None,
    randomised: str | None = None,
    randomised_log: LogLike | None = None,
    against: str | None = None,
    top: int = 20,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    on_bad_rows: OnBadRows = "error",
    calibrated: bool = True,
    exposure_at: str | int | None = None,
    read: Sequence[str] = (),
    reporter: Reporter | None = None,
) -> JudgedLog:
    """Judge predictions: how wrong they are and where, and whether one model beats another.

    The log is read once (twice to fit a propensity). Its rows need a click, a conversion, and of
    each model one or more of pCTR, pCVR and pCTCVR in [0, 1]; or the raw features that runs and
    bundles read, which then score the rows themselves.

    Args:
        logs: anything that `open_log` takes.
        models: by default the columns `pctr`, `pcvr`, `pctcvr`, of several models
            `pcvr_<name>`; else as in `postclick.judgements.models.models_of`. The first is the
            one to beat, unless `against` names another.
        out: a folder to write, which must not exist: `report.html`, `summary.json`, and figures
            as Parquet.
        schema: names labels, group, weight, time and truth, and says what is missing and which
            features are numbers; without one that of the first run or bundle.
        click, conversion: columns, or rules such as `{"column": "price", "positive": "> 0"}`.
        by: features for each of whose values everything is judged as well.
        group: rows that belong together, such as a user's: intervals are over groups.
        weight: how many impressions a row stands for.
        time: when an impression was shown, to judge by hour or day.
        exposure: what moves clicks but not conversions, such as a position.
        propensity: for the entire space: a column with logged ones, "pctr" for each model's own,
            or "fit" for a cross-fitted logistic regression on `features`.
        features: for that and for the placebo; by default those of `by`.
        clip: least propensity in weights.
        true_cvr, potential_conversion: columns with known truth.
        randomised: a column that is 0, or the probability with which the impression was drawn at
            random (1 where all were): these rows are judged by themselves as well, weighted by 1
            over it.
        randomised_log: another log, of random impressions alone.
        top: values of a category that are shown; the rest is one.
        level: of intervals.
        resamples, seed: of the bootstrap; 40 resamples or more, and 2 / (1 - level).
        on_bad_rows: "drop" leaves rows out whose labels cannot be.
        calibrated: whether runs apply the calibrator that they have.
        exposure_at: where runs that were trained with an exposure predict pCTR, a value of it or
            "average"; by default as their schemas say. Bundles must have been exported so.
        read: how text files are written, `KEY=VALUE` each.

    Raises:
        InputError: a column is missing, a value cannot be used, or a model cannot be opened.

    >>> import polars as pl
    >>> log = pl.DataFrame({"click": [1, 1, 0, 1], "conversion": [0, 1, 0, 0],
    ...                     "pctr": [0.5, 0.8, 0.2, 0.6], "pcvr": [0.2, 0.6, 0.1, 0.2]})
    >>> found = judge(log)
    >>> found.value("model", "cvr_auc"), round(found.value("model", "ctr_pcoc"), 6)
    (1.0, 0.7)
    """
    by, features = _names(by), _names(features)
    asked, began = dict(locals()), clock.perf_counter()
    reporter = reporter or Silent()
    if not logs:
        raise InputError("no log is given: name a file, or hand over a frame")
    _check_numbers(clip=clip, level=level, top=top, resamples=resamples)
    if on_bad_rows not in ("error", "drop"):
        raise InputError(f"{option('on_bad_rows')} is {on_bad_rows!r}: give error or drop")
    if out is not None:
        check_place(Path(out))
    known = None if schema is None else _schema(schema)
    source = open_log(*logs, read=_reading(known, read))
    opened = models_of(models, source.columns, calibrated=calibrated, exposure_at=exposure_at)
    scorer = next((one for one in opened.values() if not isinstance(one, ModelColumns)), None)
    if known is None and scorer is not None:
        known = scorer.log_schema
        source = open_log(*logs, read=_reading(known, read))
    second = None
    if randomised_log is not None:
        second = open_log(randomised_log, read=_reading(known, read))
    require_heeded(read, source, second)
    opened = _against_first(opened, against)
    if propensity == OWN and not any(predicts_clicks(one) for one in opened.values()):
        raise InputError(
            f"{option('propensity', OWN)} is each model's own pCTR, and none has one: name its "
            f"column with {option('model')}, or a logged propensity, or give {FIT}"
        )
    column = propensity if propensity not in (None, FIT, OWN) else None
    own = tuple(features) or (tuple(by) if propensity == FIT else ())
    if propensity == FIT and not own:
        raise InputError(
            f"{option('propensity', FIT)} needs features to fit on: name them with "
            f"{option('features')}"
        )
    given = {
        "click": click,
        "conversion": conversion,
        "group": group,
        "weight": weight,
        "time": time,
        "exposure": exposure,
        "propensity": column,
        "true_cvr": true_cvr,
        "potential_conversion": potential_conversion,
        "randomised": randomised,
        "by": tuple(by),
        "features": own,
    }
    plan = Plan(
        models=opened,
        roles=_roles(known, source, given),
        rules=_rules(known, decimal_of(read, source)),
        read=read,
        numeric=_numeric(known),
        propensity=propensity,
        clip=clip,
        on_bad_rows=on_bad_rows,
        top=top,
        level=level,
        resamples=resamples,
        seed=seed,
    )
    judged = plan.judged(source, reporter)
    if exposure_at is not None:
        where = f"pCTR of {', '.join(with_exposure(opened))} is predicted at exposure {exposure_at}"
        judged = replace(judged, findings=(where, *judged.findings))
    if second is not None:
        other = _other(plan, second, known, reporter)
        told = [f"randomised log: {one}" for one in other.findings if one not in judged.findings]
        judged = replace(judged, randomised=other, findings=(*judged.findings, *told))
    findings = (*notes.baseline(judged.models, against), *judged.findings)
    judged = replace(judged, findings=findings)
    command = judge_again(asked, judge.__kwdefaults__ or {})
    judged = replace(judged, command=command, seconds=clock.perf_counter() - began)
    if out is not None:
        write_judgement(Path(out), judged)
    return judged


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    """Names; one text may hold several, separated by commas."""
    parts = given.split(",") if isinstance(given, str) else given
    return tuple(name.strip() for name in parts if name.strip())


def _check_numbers(*, clip: float, level: float, top: int, resamples: int) -> None:
    if not 0 <= clip < 1:
        raise InputError(f"{option('clip')} is {clip}: give a least propensity, such as {CLIP}")
    if not 0 < level < 1:
        raise InputError(f"{option('level')} is {level}: give one between 0 and 1, such as .95")
    if top < 1:
        raise InputError(f"{option('top')} is {top}: give 1 or more")
    least = max(FEWEST_RESAMPLES, ceil(2 / (1 - level) - 1e-6))
    if resamples < least:
        raise InputError(
            f"{option('resamples')} is {resamples}: give {least:,} or more, or intervals of level "
            f"{level:g} would rest on less than a resample on either side"
        )


def _schema(schema: SchemaLike) -> LogSchema:
    if isinstance(schema, LogSchema):
        return schema
    return LogSchema.load(schema) if isinstance(schema, str | Path) else LogSchema.parse(schema)


def _reading(schema: LogSchema | None, read: Sequence[str]) -> ReadSettings:
    settings = read_settings(read, schema.read if schema else ReadSettings())
    if schema is not None:
        return schema.model_copy(update={"read": settings}).reading
    return SchemaReading(**settings.model_dump())


def _against_first(models: dict[str, Model], against: str | None) -> dict[str, Model]:
    """The one to beat comes first."""
    if against is None:
        return models
    if against not in models:
        raise InputError(
            f"there is no model {against!r}{meant(against, models)} to judge "
            f"{option('against')}: {', '.join(models)}"
        )
    return {against: models[against], **models}


def _roles(schema: LogSchema | None, source: LogSource, given: Mapping[str, object]) -> Roles:
    if schema is None:
        return Roles(**given_roles(given))  # type: ignore[arg-type]
    return roles_of(schema, source.columns, **given)


def _rules(schema: LogSchema | None, decimal: str | None) -> ValueRules:
    """How values are read: as the schema says, with the decimals that the log is seen to use."""
    rules = ValueRules() if schema is None else ValueRules.of(schema)
    return rules if decimal is None else replace(rules, decimal="," if decimal == "," else ".")


def _numeric(schema: LogSchema | None) -> dict[str, bool]:
    """Which features a schema lists as numbers, and which as categories."""
    if schema is None:
        return {}
    found = {one.name: False for one in (*schema.categorical, *schema.hashed)}
    return found | {one.name: True for one in schema.numeric}


def _other(
    plan: Plan, source: LogSource, schema: LogSchema | None, reporter: Reporter
) -> JudgedLog:
    """A second log, by those of the roles whose columns it has."""
    names = (one.name for one in fields(Roles) if one.name not in ("click", "conversion"))
    lacking: dict[str, Any] = {
        name: None
        for name in names
        if isinstance(column := getattr(plan.roles, name), str) and column not in source.columns
    }
    lacking["by"] = tuple(name for name in plan.roles.by if name in source.columns)
    roles = replace(plan.roles, **{**lacking, "features": (), "randomised": None})
    rules = _rules(schema, decimal_of(plan.read, source))
    return replace(plan, roles=roles, rules=rules, propensity=None).judged(source, reporter)
