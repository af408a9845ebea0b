"""How far predictions are from what happened: PCOC, reliability, and the segments farthest off."""

from __future__ import annotations

from postclick.judgements.page.axis import Axis, rate_axis
from postclick.judgements.page.drawing import (
    Chart,
    Curve,
    Ends,
    Strips,
    point,
    ratio_strips,
    upward,
)
from postclick.judgements.page.figures import undefined
from postclick.judgements.page.table import Cell, Column, Table, measured, named
from postclick.judgements.page.view import View
from postclick.judgements.page.words import (
    QUANTITIES,
    RATES,
    definition,
    off,
    rate,
    shortened,
    with_ends,
)
from postclick.judging.predicted.answer import LEAST, worst_segments
from postclick.judging.predicted.result import Bucket, SegmentFigure
from postclick.spelling import counted

MOST_SEGMENTS = 10


def pcoc_table(view: View) -> Table | None:
    """PCOC of every model and quantity, and what it says."""
    judged = view.judged
    found = {
        (model, quantity): judged.figure(model, f"{quantity}_pcoc")
        for model in judged.models
        for quantity in QUANTITIES
    }
    shown = [q for q in QUANTITIES if any(found[m, q] is not None for m in judged.models)]
    if not shown:
        return None
    columns = [Column("model", numeric=False)]
    for quantity in shown:
        columns += [
            Column("PCOC", over=QUANTITIES[quantity], hint=definition(f"{quantity}_pcoc")),
            Column("level", over=QUANTITIES[quantity], numeric=False),
        ]
    rows = []
    for model in judged.models:
        cells = [named(model)]
        for quantity in shown:
            one = found[model, quantity]
            if one is None:
                cells += [Cell("-"), Cell("not predicted")]
                continue
            cells.append(measured(one.value, one.low, one.high, 3, hint=one.undefined or ""))
            cells.append(Cell(off(one.value, one.low, one.high), hint=one.undefined or ""))
        rows.append(tuple(cells))
    return Table(
        "PCOC: sum of predictions / sum of labels",
        tuple(columns),
        tuple(rows),
        below=undefined([one for one in found.values() if one is not None]),
    )


def pcoc_strips(view: View) -> list[Strips]:
    """PCOC of all models, a figure for each quantity."""
    found = []
    for quantity, title in QUANTITIES.items():
        rows = []
        for model in view.judged.models:
            one = view.judged.figure(model, f"{quantity}_pcoc")
            if one is not None:
                ends = Ends(one.value, one.low, one.high, view.colour(model), model)
                rows.append((shortened(model), "", (ends,)))
        drawn = ratio_strips(f"PCOC of {title}", rows)
        if drawn is not None:
            found.append(drawn)
    return found


def reliability(view: View, quantity: str) -> dict[str, Chart]:
    """By model, observed against predicted rates in buckets of similar predictions."""
    buckets: dict[str, list[Bucket]] = {}
    for one in view.judged.buckets:
        if one.quantity == quantity:
            buckets.setdefault(one.model, []).append(one)
    return {
        model: _reliability(view, model, quantity, buckets[model])
        for model in view.order
        if model in buckets
    }


def _reliability(view: View, model: str, quantity: str, buckets: list[Bucket]) -> Chart:
    axis = rate_axis(
        [rate for one in buckets for rate in (one.predicted, one.observed)],
        [end for one in buckets for end in (one.low, one.high)],
    )
    name, label = RATES[quantity], "conversion" if quantity == "cvr" else "click"
    by_weight = " by weight" if view.judged.weighted else ""
    points = tuple(
        point(
            axis.at(one.predicted),
            axis,
            one.observed,
            one.low,
            one.high,
            f"predicted {rate(one.predicted)}, observed {rate(one.observed)} ({rate(one.low)} to "
            f"{rate(one.high)}); {counted(one.rows, 'row')}, "
            f"{counted(round(one.positives), label)}{by_weight}",
        )
        for one in sorted(buckets, key=lambda one: one.predicted)
    )
    return Chart(
        title=f"{shortened(model)}: reliability of p{name}",
        note=_scale(axis),
        x=tuple(axis.ticks),
        y=upward(axis),
        x_title=f"mean p{name} of the bucket",
        y_title=f"observed {name}",
        curves=(Curve(model, view.colour(model), points),),
        diagonal=True,
    )


def _scale(axis: Axis) -> str:
    return "Both axes are logarithmic." if axis.log else ""


def farthest_strips(view: View) -> Strips | None:
    """The segments whose PCOC is farthest from 1 beyond noise, of the model that is advised."""
    worst = worst_segments(view.judged, view.ship, MOST_SEGMENTS)
    rows = [
        (
            f"{shortened(one.feature)} = {shortened(one.value)}",
            f"{counted(one.conversions, 'conversion')} of {counted(one.clicks, 'click')}",
            (Ends(one.pcoc, one.low, one.high, view.colour(view.ship)),),
        )
        for one in worst
    ]
    if not rows:
        return None
    return ratio_strips(
        f"Segments farthest off: PCOC of pCVR of {shortened(view.ship)}",
        rows,
        note=farthest_note(view),
        wide=True,
    )


def farthest_note(view: View) -> str:
    """How many segments were judged, and how many would seem off by chance."""
    judged = view.judged
    tried = [
        one
        for one in judged.segments
        if (one.model, one.quantity) == (view.ship, "cvr")
        and one.conversions >= LEAST
        and one.low is not None
    ]
    if not tried:
        return f"No segment has {LEAST} conversions: none can be judged by itself."
    chance = (1 - judged.level) * len(tried)
    return (
        f"{len(_beyond(tried))} of {len(tried)} segments with {LEAST} conversions or more are off "
        f"beyond their intervals; of a model that is right everywhere {chance:.1f} would be, by "
        "chance."
    )


def farthest_table(view: View) -> Table | None:
    """The worst segments of every other model."""
    rows = [
        (
            named(model),
            named(one.feature),
            named(one.value),
            Cell(with_ends(one.pcoc, one.low, one.high)),
            Cell(f"{one.conversions:,}"),
        )
        for model in view.order
        if model != view.ship
        for one in worst_segments(view.judged, model, 3)
    ]
    columns = (
        Column("model", numeric=False),
        Column("feature", numeric=False),
        Column("value", numeric=False),
        Column("PCOC of pCVR"),
        Column("conversions"),
    )
    if not rows:
        return None
    return Table("Segments farthest off, other models", columns, tuple(rows))


def _beyond(segments: list[SegmentFigure]) -> list[SegmentFigure]:
    return [
        one
        for one in segments
        if one.low is not None and one.high is not None and not one.low <= 1 <= one.high
    ]
