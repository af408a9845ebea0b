"""Whether models are right at every exposure: PCOC by its values, and the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from postclick.judgements.page.drawing import Ends, Key, Strips, ratio_strips
from postclick.judgements.page.table import Cell, Column, Table, count, measured, named
from postclick.judgements.page.view import View
from postclick.judgements.page.words import UNWEIGHTED, number, rate, shortened, with_ends
from postclick.judging.exposure.words import probability
from postclick.spelling import counted


@dataclass(frozen=True)
class ExposurePart:
    """PCOC of pCVR by exposure.

    Attributes:
        sentences: a model, and what was found of it.
        assumptions: what has to hold for that, each once.
        tables: by value, of each model.
    """

    name: str
    sentences: tuple[tuple[str, str], ...]
    assumptions: tuple[str, ...]
    strips: Strips | None
    tests: Table | None
    tables: tuple[Table, ...]


def exposure_part(view: View) -> ExposurePart | None:
    """None where no exposure was named."""
    exposure = view.judged.exposure
    if not exposure:
        return None
    found: dict[str, dict[str, Any]] = {m: exposure[m] for m in view.order if m in exposure}
    name = next(iter(found.values()))["name"]
    note = UNWEIGHTED if view.judged.weighted else ""
    return ExposurePart(
        name,
        tuple((shortened(model), one["sentence"]) for model, one in found.items()),
        tuple(dict.fromkeys(one["assumption"] for one in found.values())),
        _strips(view, name, found),
        _tests(found),
        tuple(_by_value(name, model, one, note) for model, one in found.items()),
    )


def _strips(view: View, name: str, found: dict[str, dict[str, Any]]) -> Strips | None:
    models = view.chunks(found)[0]
    rows: dict[str, tuple[str, list[Ends]]] = {}
    for model in models:
        for one in found[model]["values"]:
            ctr = "" if one["ctr"] is None else f"CTR {rate(one['ctr'])}, "
            below = f"{ctr}{one['conversions']:,} of {counted(one['rows'], 'click')}"
            ends = Ends(one["pcoc"], one["low"], one["high"], view.colour(model), shortened(model))
            rows.setdefault(one["value"], (below, []))[1].append(ends)
    return ratio_strips(
        f"PCOC of pCVR by {shortened(name)}",
        [(shortened(value), below, marks) for value, (below, marks) in rows.items()],
        legend=[Key(shortened(m), view.colour(m)) for m in models] if len(models) > 1 else (),
        words=len(models) == 1,
        wide=True,
    )


def _tests(found: dict[str, dict[str, Any]]) -> Table | None:
    columns = (
        Column("model", numeric=False),
        Column("p of the trend", hint="one degree of freedom: errors in the order of click rates"),
        Column(
            "strength",
            "1: as the world hidden",
            "of the unseen cause, estimated: 0 is none, 1 that of the simulated world hidden",
        ),
        Column("p of any difference", hint="chi-square: errors that differ between values"),
        Column("power", hint="chance to find a cause as strong as in the world hidden"),
        Column("could be seen", "with 80 % power", "the least strength that would be found"),
        Column("why not", numeric=False),
    )
    rows = []
    for model, one in found.items():
        trend, omnibus = one["trend"] or {}, one["omnibus"] or {}
        strength = with_ends(trend.get("strength"), trend.get("low"), trend.get("high"))
        any_way = "-"
        if omnibus:
            any_way = f"{_p(omnibus['p'])} (χ² {omnibus['chi_square']:.1f}, df {omnibus['df']})"
        rows.append(
            (
                named(model),
                Cell(_p(trend["p"]) if trend else "-"),
                Cell(strength),
                Cell(any_way),
                Cell("-" if one["power"] is None else f"{100 * one['power']:.0f} %"),
                Cell(number(one["detectable"], 2)),
                Cell(one["undefined"] or ""),
            )
        )
    kept = columns if any(row[-1].text for row in rows) else columns[:-1]
    cut = tuple(row[: len(kept)] for row in rows)
    return Table("Tests for an unseen cause", kept, cut)


def _by_value(name: str, model: str, found: dict[str, Any], note: str) -> Table:
    columns = (
        Column(shortened(name, 40), numeric=False),
        Column("CTR", hint="of all impressions with this value"),
        Column("clicks"),
        Column("conversions"),
        Column("observed", "CVR"),
        Column("predicted", "mean pCVR"),
        Column("PCOC"),
    )
    rows = tuple(
        (
            named(one["value"]),
            Cell(rate(one["ctr"])),
            count(one["rows"]),
            count(one["conversions"]),
            Cell(rate(one["observed"])),
            Cell(rate(one["predicted"])),
            measured(one["pcoc"], one["low"], one["high"], 2),
        )
        for one in found["values"]
    )
    title = f"Clicked impressions by {shortened(name)}: {shortened(model)}"
    return Table(title, columns, rows, note)


def _p(p: float) -> str:
    return probability(p).removeprefix("p = ").removeprefix("p ")
