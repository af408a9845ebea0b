"""Figures value by value of each feature: a figure, tables of every model and quantity."""

from __future__ import annotations

from dataclasses import dataclass, replace

from postclick.judgements.page.axis import Axis, Tick, rate_axis, ratio_axis
from postclick.judgements.page.drawing import (
    INK,
    Chart,
    Curve,
    Ends,
    Key,
    Point,
    Strips,
    from_top,
    point,
    ratio_strips,
    told,
    upward,
)
from postclick.judgements.page.table import Cell, Column, Table, count, measured, named
from postclick.judgements.page.view import View
from postclick.judgements.page.words import (
    QUANTITIES,
    RATES,
    UNWEIGHTED,
    definition,
    listed,
    rate,
    shortened,
)
from postclick.judging.predicted.result import SegmentFigure
from postclick.judging.value_names import MISSING
from postclick.spelling import counted

ByValue = dict[str, dict[str, SegmentFigure]]
# Labels of a time axis; more do not fit beside each other on a phone.
TIME_LABELS = 3


@dataclass(frozen=True)
class FeaturePart:
    """All there is of one feature.

    Attributes:
        strips: PCOC by value, but for times, which have charts, and for the exposure, which has a
            section of its own.
        table: of the first quantity and models; `more` of the others.
    """

    name: str
    kind: str
    strips: Strips | None
    charts: tuple[Chart, ...]
    table: Table
    more: tuple[Table, ...]


def feature_parts(view: View) -> list[FeaturePart]:
    """Each feature, in the order in which they were asked for; times last."""
    kinds = {one.feature: one.kind for one in view.judged.segments}
    return [
        part
        for name in sorted(kinds, key=lambda name: kinds[name] == "time")
        if (part := _part(view, name, kinds[name])) is not None
    ]


def _part(view: View, feature: str, kind: str) -> FeaturePart | None:
    tables, first = [], None
    note = UNWEIGHTED if view.judged.weighted else ""
    for quantity in QUANTITIES:
        by_value = view.segments(feature, quantity)
        if not by_value:
            continue
        chunks = view.chunks({model for found in by_value.values() for model in found})
        first = first or (quantity, by_value, chunks[0])
        tables += [_table(feature, quantity, by_value, models, note) for models in chunks]
    if first is None:
        return None
    quantity, by_value, models = first
    strips, charts = None, tuple[Chart, ...]()
    if kind == "time":
        charts = _time_charts(view, feature, quantity, by_value, models)
    elif not view.is_exposure(feature):
        strips = _pcoc_strips(view, feature, quantity, by_value, models)
    return FeaturePart(feature, kind, strips, charts, tables[0], tuple(tables[1:]))


def _table(
    feature: str, quantity: str, by_value: ByValue, models: tuple[str, ...], note: str
) -> Table:
    columns = [
        Column(shortened(feature, 40), numeric=False),
        Column("rows"),
        Column("clicks"),
        Column("conversions"),
        Column("observed", RATES[quantity]),
    ]
    ranked = any(
        found[m].auc is not None for found in by_value.values() for m in models if m in found
    )
    for model in models:
        over = shortened(model, 40)
        columns += [
            Column("predicted", f"p{RATES[quantity]}", over=over),
            Column("PCOC", hint=definition(f"{quantity}_pcoc"), over=over),
        ]
        if ranked:
            columns.append(Column("AUC", hint=definition(f"{quantity}_auc"), over=over))
    rows = []
    for value, found in by_value.items():
        one = next(iter(found.values()))
        cells = [
            named(value),
            count(one.rows),
            count(one.clicks),
            count(one.conversions),
            Cell(rate(one.observed)),
        ]
        for model in models:
            cells += _cells(found.get(model), ranked)
        rows.append(tuple(cells))
    whose = listed([shortened(model) for model in models])
    title = f"{QUANTITIES[quantity]}, by {shortened(feature)}: {whose}"
    return Table(title, tuple(columns), tuple(rows), note)


def _cells(one: SegmentFigure | None, ranked: bool) -> list[Cell]:
    if one is None:
        return [Cell("-")] * (3 if ranked else 2)
    label = "clicks" if one.quantity == "ctr" else "conversions"
    pcoc = measured(one.pcoc, one.low, one.high, 2)
    if one.pcoc is None:
        pcoc = Cell("-", hint=f"no {label}")
    off = one.low is not None and one.high is not None and not one.low <= 1 <= one.high
    pcoc = replace(pcoc, tone="off" if off else "")
    cells = [Cell(rate(one.predicted)), pcoc]
    return [*cells, Cell("-" if one.auc is None else f"{one.auc:.3f}")] if ranked else cells


def _pcoc_strips(
    view: View, feature: str, quantity: str, by_value: ByValue, models: tuple[str, ...]
) -> Strips | None:
    rows = []
    for value, found in by_value.items():
        one = next(iter(found.values()))
        below = f"{one.conversions:,} of {counted(one.clicks, 'click')}"
        if quantity == "ctr":
            below = f"{counted(one.clicks, 'click')} of {one.rows:,}"
        elif quantity == "ctcvr":
            below = f"{one.conversions:,} of {one.rows:,}"
        marks = [_ends(view, found[model]) for model in models if model in found]
        rows.append((shortened(value), below, marks))
    return ratio_strips(
        f"PCOC of p{RATES[quantity]} by {shortened(feature)}",
        rows,
        legend=[Key(shortened(m), view.colour(m)) for m in models] if len(models) > 1 else (),
        words=len(models) == 1,
        wide=True,
    )


def _ends(view: View, one: SegmentFigure) -> Ends:
    return Ends(one.pcoc, one.low, one.high, view.colour(one.model), shortened(one.model))


def _time_charts(
    view: View, feature: str, quantity: str, by_value: ByValue, models: tuple[str, ...]
) -> tuple[Chart, ...]:
    """PCOC and rates by time; rows without a time are in the table alone."""
    known = {value: found for value, found in by_value.items() if value != MISSING}
    if len(known) < 2:
        return ()
    return (
        _pcoc_by_time(view, feature, quantity, known, models),
        _rate_by_time(view, feature, quantity, known, models),
    )


def _pcoc_by_time(
    view: View, feature: str, quantity: str, by_value: ByValue, models: tuple[str, ...]
) -> Chart:
    shown = [found[m] for found in by_value.values() for m in models if m in found]
    axis = ratio_axis(
        [one.pcoc for one in shown], [end for one in shown for end in (one.low, one.high)]
    )
    curves = []
    for k, model in enumerate(models):
        points = []
        for n, (value, found) in enumerate(by_value.items()):
            one = found.get(model)
            if one is not None and one.pcoc is not None:
                # Beside each other, so that intervals of several models can be told apart.
                x = _place(n, len(by_value), (k - (len(models) - 1) / 2) * 0.22)
                ends = told(one.pcoc, one.low, one.high, 2)
                clicked = counted(one.conversions, "conversion")
                hint = f"{value}, {shortened(model)}: PCOC {ends}, {clicked}"
                points.append(point(x, axis, one.pcoc, one.low, one.high, hint))
        curves.append(Curve(shortened(model), view.colour(model), tuple(points)))
    return Chart(
        title=f"PCOC of p{RATES[quantity]} by {shortened(feature)}",
        note="Logarithmic; 1 is right.",
        x=_time_ticks(list(by_value)),
        y=upward(axis),
        x_title=shortened(feature, 40),
        y_title="PCOC",
        curves=tuple(curves),
        legend=_legend(view, models),
        guide=from_top(axis, 1.0),
    )


def _rate_by_time(
    view: View, feature: str, quantity: str, by_value: ByValue, models: tuple[str, ...]
) -> Chart:
    shown = [found[m] for found in by_value.values() for m in models if m in found]
    rates = [r for one in shown for r in (one.predicted, one.observed) if r is not None]
    axis = rate_axis(rates, from_zero=False)
    observed = []
    for n, (value, found) in enumerate(by_value.items()):
        one = next(iter(found.values()))
        if one.observed is not None:
            x = _place(n, len(by_value))
            hint = f"{value}: observed {rate(one.observed)}, {counted(one.rows, 'row')}"
            observed.append(Point(x, from_top(axis, one.observed), None, None, hint))
    curves = [Curve("observed", INK, tuple(observed))]
    for model in models:
        points = _predicted(by_value, model, axis)
        curves.append(Curve(shortened(model), view.colour(model), points, open=True))
    return Chart(
        title=f"Observed and predicted {RATES[quantity]} by {shortened(feature)}",
        note="Logarithmic." if axis.log else "",
        x=_time_ticks(list(by_value)),
        y=upward(axis),
        x_title=shortened(feature, 40),
        y_title=RATES[quantity],
        curves=tuple(curves),
        legend=(Key("observed", INK), *_legend(view, models, rings=True)),
    )


def _predicted(by_value: ByValue, model: str, axis: Axis) -> tuple[Point, ...]:
    points = []
    for n, (value, found) in enumerate(by_value.items()):
        one = found.get(model)
        if one is not None and one.predicted is not None:
            hint = f"{value}, {shortened(model)}: predicted {rate(one.predicted)}"
            y = from_top(axis, one.predicted)
            points.append(Point(_place(n, len(by_value)), y, None, None, hint))
    return tuple(points)


def _legend(view: View, models: tuple[str, ...], rings: bool = False) -> tuple[Key, ...]:
    if len(models) == 1 and not rings:
        return ()
    return tuple(Key(shortened(m), view.colour(m), rings) for m in models)


def _place(n: int, of: int, aside: float = 0.0) -> float:
    """Where the n-th of some steps stands, in percent."""
    return round(100 * (n + 0.5 + aside) / of, 2)


def _time_ticks(values: list[str]) -> tuple[Tick, ...]:
    """The first, the middle and the last step, or all of a few short ones."""
    last = len(values) - 1
    if len(values) <= 8 and max(len(value) for value in values) <= 4:
        chosen = list(range(len(values)))
    else:
        chosen = sorted({0, last // 2, last} if len(values) >= TIME_LABELS else {0, last})
    return tuple(Tick(_place(k, len(values)), values[k]) for k in chosen)
