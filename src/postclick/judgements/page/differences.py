"""How much better models are than the one to beat, and what these rows could have shown."""

from __future__ import annotations

from postclick.judgements.page.drawing import Ends, Strips, gain_strips
from postclick.judgements.page.figures import metrics_by
from postclick.judgements.page.table import Cell, Column, Table, named
from postclick.judgements.page.view import View
from postclick.judgements.page.words import definition, number, shortened, title_of
from postclick.judging.exposure.words import probability
from postclick.judging.predicted.result import Difference, JudgedLog
from postclick.metrics.catalogue import METRICS


def starred(one: Difference, level: float) -> bool:
    """Whether a model is better beyond noise, corrected for how many were compared."""
    return one.gain > 0 and one.holm < 1 - level


def gain_tables(judged: JudgedLog, against: str, rows_of: str = "") -> list[Table]:
    """A table for each quantity and space: every model and metric against one model.

    `rows_of` says in the captions which rows are judged, where that is not all.
    """
    found = []
    for (quantity, space), metrics in metrics_by(judged).items():
        rows = [
            one
            for metric in metrics
            for one in judged.differences
            if (one.metric, one.space, one.against) == (metric, space, against)
        ]
        if rows:
            over = f"{rows_of}gain over {shortened(against)}"
            title = f"{over[0].upper()}{over[1:]}. {title_of(quantity, space)}"
            columns, cells = _columns(against), tuple(_row(one, judged.level) for one in rows)
            found.append(Table(title, columns, cells))
    return found


def _columns(against: str) -> tuple[Column, ...]:
    return (
        Column("model", numeric=False),
        Column("metric", numeric=False),
        Column(
            "gain",
            "above 0: better",
            f"how much better than {shortened(against)}, whichever direction is better; of PCOC "
            "and bias, how much closer to what is right",
        ),
        Column("interval"),
        Column("p", hint="two-sided, that the gain is 0"),
        Column("p, Holm", hint="corrected for how many models are compared with this one"),
        Column(
            "could be seen",
            "with 80 % power",
            "the least true difference that a test on these rows finds in four cases of five",
        ),
    )


def _row(one: Difference, level: float) -> tuple[Cell, ...]:
    better = starred(one, level)
    return (
        named(one.model),
        Cell(one.metric, hint=definition(one.metric)),
        Cell(f"{signed(one.gain)}{' *' if better else ''}", tone="good" if better else ""),
        Cell(f"{signed(one.low)} to {signed(one.high)}"),
        Cell(_short(one.p)),
        Cell(_short(one.holm)),
        Cell(number(one.detectable)),
    )


def gain_figures(view: View) -> list[Strips]:
    """Gains over the one to beat by each metric of the first quantity that has any."""
    judged = view.judged
    for (_, space), metrics in metrics_by(judged).items():
        found = []
        for metric in metrics:
            rows = [
                (
                    shortened(one.model),
                    f"could be seen: {number(one.detectable)}",
                    (Ends(one.gain, one.low, one.high, view.colour(one.model), one.model),),
                )
                for one in judged.differences
                if (one.metric, one.space, one.against) == (metric, space, view.reference)
            ]
            title = f"{metric}: gain over {shortened(view.reference)}"
            drawn = gain_strips(title, rows, note=METRICS[metric].definition)
            if drawn is not None:
                found.append(drawn)
        if found:
            return found
    return []


def signed(value: float) -> str:
    """A gain with its sign.

    >>> signed(0.01234), signed(-0.5), signed(0.00001)
    ('+0.0123', '-0.5000', '+1e-05')
    """
    return ("+" if value >= 0 else "") + number(value)


def _short(p: float) -> str:
    return probability(p).removeprefix("p = ").removeprefix("p ")
