"""All figures by quantity and space, models as rows; randomised ones beside the recorded."""

from __future__ import annotations

from postclick.judgements.page.table import Cell, Column, Table, named
from postclick.judgements.page.words import definition, ends, number, shortened, title_of
from postclick.judging.predicted.result import Figure, JudgedLog
from postclick.metrics.catalogue import METRICS
from postclick.spelling import counted

# What models are judged by first; what is not listed comes before the known truth.
FIRST = (("cvr", "clicked"), ("ctr", "entire"), ("ctcvr", "entire"))
TRUTH = (("true_cvr", "entire"), ("true_cvr", "unclicked"), ("true_cvr", "clicked"))
Key = tuple[str, str]


def figure_tables(judged: JudgedLog, *, truth: bool) -> list[Table]:
    """A table for each quantity and space, of known truth or of recorded labels.

    Metrics that are not registered any more have no quantity, and are left out.
    """
    return [
        _table(judged, key, metrics)
        for key, metrics in metrics_by(judged).items()
        if (key[0] == "true_cvr") == truth
    ]


def metrics_by(judged: JudgedLog) -> dict[Key, list[str]]:
    """The metrics that there are by quantity and space, in the order in which they are shown."""
    found: dict[Key, list[str]] = {}
    for one in judged.figures:
        figure = METRICS.get(one.metric)
        if figure is not None:
            metrics = found.setdefault((figure.quantity, one.space), [])
            if one.metric not in metrics:
                metrics.append(one.metric)
    others = [key for key in found if key not in (*FIRST, *TRUTH)]
    return {key: found[key] for key in (*FIRST, *others, *TRUTH) if key in found}


def _table(judged: JudgedLog, key: Key, metrics: list[str]) -> Table:
    quantity, space = key
    found = {(m, name): judged.figure(m, name, space) for m in judged.models for name in metrics}
    rows = tuple(
        (named(model), *(cell(found[model, name]) for name in metrics))
        for model in judged.models
        if any(found[model, name] is not None for name in metrics)
    )
    return Table(
        title_of(quantity, space),
        (Column("model", numeric=False), *(_column(name) for name in metrics)),
        rows,
        note=_rests_on([one for one in found.values() if one is not None]),
        below=undefined([one for one in found.values() if one is not None]),
    )


def cell(one: Figure | None) -> Cell:
    """A figure with its interval; why there is none shows when it is pointed at."""
    if one is None:
        return Cell("-", hint="not predicted")
    if one.value is None:
        return Cell("undefined", hint=one.undefined or "")
    metric = METRICS[one.metric].metric
    hint = (
        ""
        if one.groups is None
        else f"within {counted(one.groups, 'group')} that have both classes"
    )
    if metric.as_percent:
        low, high = (None if v is None else 100 * v for v in (one.low, one.high))
        return Cell(f"{number(100 * one.value, 2)} %", ends(low, high, 2), hint)
    digits = 3 if metric.target == 1 else 4
    return Cell(number(one.value, digits), ends(one.low, one.high, digits), hint)


def _column(name: str, over: str = "") -> Column:
    metric = METRICS[name].metric
    better = "closest to " + f"{metric.target:g}" if metric.target is not None else ""
    if not better:
        better = "higher is better" if metric.higher_is_better else "lower is better"
    return Column(name, better, definition(name), over)


def _rests_on(found: list[Figure]) -> str:
    """What the figures of a space rest on."""
    one = found[0]
    figure = METRICS[one.metric]
    labels = counted(round(one.positives), figure.labels.removesuffix("s"))
    rests = f"{counted(one.rows, 'row')}, {labels}"
    if one.weight is not None:
        rests = (
            f"{counted(one.rows, 'row')}, by weight {counted(round(one.weight), 'impression')} and "
            f"{labels}"
        )
    return f"{rests}. Intervals stand below the values."


def undefined(found: list[Figure]) -> tuple[str, ...]:
    """Why figures are undefined, each reason once with the models that it is true of."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in found:
        if one.value is None:
            reasons.setdefault((one.metric, one.undefined or ""), []).append(shortened(one.model))
    return tuple(
        f"{metric} is undefined ({', '.join(models)}): {reason}."
        for (metric, reason), models in reasons.items()
    )


def beside_tables(judged: JudgedLog, part: JudgedLog) -> list[Table]:
    """The figures of randomised rows beside those of all that was recorded."""
    tables = []
    recorded, drawn = metrics_by(judged), metrics_by(part)
    for key, metrics in recorded.items():
        both = [name for name in metrics if name in drawn.get(key, ())]
        models = [m for m in judged.models if m in part.models]
        if not both or not models:
            continue
        columns = [Column("model", numeric=False)]
        for name in both:
            columns += [
                Column("recorded", over=name, hint=definition(name)),
                Column("randomised", over=name, hint=definition(name)),
            ]
        rows, found = [], []
        for model in models:
            cells = [named(model)]
            for name in both:
                of_part = part.figure(model, name, key[1])
                cells += [cell(judged.figure(model, name, key[1])), cell(of_part)]
                found += [of_part] if of_part is not None else []
            rows.append(tuple(cells))
        if found:
            title = f"Recorded and randomised. {title_of(*key)}"
            note = f"Randomised: {_rests_on(found)}"
            below = undefined(found)
            tables.append(Table(title, tuple(columns), tuple(rows), note, below))
    return tables
