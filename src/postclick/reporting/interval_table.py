"""Figures of each method with their intervals over test impressions."""

from typing import Any

from postclick.metrics.catalogue import figure_named
from postclick.reporting.answer import signed
from postclick.reporting.folder import Part
from postclick.reporting.tables import Column, Table, Value, words

Entry = dict[str, Any]


def interval_table(part: Part, split: str) -> Table | None:
    """A row for each method; `None` where a comparison was made without intervals."""
    if part.intervals is None:
        return None
    methods: dict[str, Entry] = part.intervals["methods"]
    pairs = dict.fromkeys(
        (entry["metric"], entry["space"]) for one in methods.values() for entry in one["figures"]
    )
    gains = any(one["nll_gain"] is not None for one in methods.values())
    drawn = part.intervals["drawn"]
    columns = [Column("method", numeric=False), *(_column(*pair, drawn) for pair in pairs)]
    if gains:
        best = part.intervals["best"]
        hint = f"how much lower its NLL on clicked impressions is than that of {best}"
        columns.append(Column("gain in NLL", "over the best", hint=hint))
    rows = []
    for method, one in methods.items():
        found = {(entry["metric"], entry["space"]): entry for entry in one["figures"]}
        cells = [words(method), *(_value(found.get(pair)) for pair in pairs)]
        if gains:
            cells.append(_value(one["nll_gain"]))
        rows.append(tuple(cells))
    level = f"{100 * part.intervals['level']:.0f} %"
    caption = f"{part.title}: {level} intervals over {drawn} of the {split} split"
    return Table(caption, tuple(columns), tuple(rows)) if pairs else None


def _column(metric: str, space: str, drawn: str) -> Column:
    figure = figure_named(metric)
    exact = "DeLong" if drawn == "impressions" else "DeLong by group"
    how = exact if figure.metric.interval == "delong" else f"bootstrap of {drawn}"
    return Column(metric, space, hint=f"{figure.definition}, {space} space; {how}")


def _value(entry: Entry | None) -> Value:
    if entry is None:
        return Value("-")
    low, high = signed(entry["low"]), signed(entry["high"])
    return Value(f"{signed(entry['value'])} [{low}, {high}]", entry["value"])
