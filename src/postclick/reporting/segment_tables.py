"""Every method per value of a feature: a table for each feature that runs were judged by."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from postclick.metrics.catalogue import added, figure_named
from postclick.reporting.folder import Part
from postclick.reporting.tables import Column, Table, Value, count, words

# What is shown of our metrics; metrics.json of the runs has all metrics.
SHOWN = (
    ("cvr_auc", "clicked"),
    ("cvr_nll", "clicked"),
    ("cvr_pcoc", "clicked"),
    ("ctcvr_pcoc", "entire"),
    ("ctr_pcoc", "entire"),
    ("true_cvr_nll", "entire"),
    ("cvr_bias", "entire"),
)


def segment_tables(part: Part, split: str) -> list[Table]:
    """A row for each value and method, means over seeds; none where runs were not judged so."""
    return [_table(part, split, name) for name in part.features]


def _table(part: Part, split: str, feature: str) -> Table:
    # The same rows for all methods and seeds, so the same values in the same order.
    seeds = {
        method: [by[feature]["segments"] for by in found] for method, found in part.segments.items()
    }
    some = next(iter(seeds.values()))[0]
    there = {(m["metric"], m["space"]) for segment in some for m in segment["metrics"]}
    others = ((figure.name, space) for figure in added() for space in figure.spaces)
    shown = [pair for pair in (*SHOWN, *others) if pair in there]
    columns = (
        Column(feature, numeric=False),
        Column("method", numeric=False),
        Column("impressions"),
        Column("clicks"),
        Column("conversions"),
        *(Column(m, space, hint=_hint(m, space)) for m, space in shown),
    )
    rows = []
    for k, segment in enumerate(some):
        value = Value(_called(segment), k)
        counts = [count(segment[name]) for name in ("rows", "clicks", "conversions")]
        for method, of_seeds in seeds.items():
            found = [segments[k] for segments in of_seeds]
            cells = [_mean(found, *pair) for pair in shown]
            rows.append((value, words(method), *counts, *cells))
    most = max(len(found) for found in seeds.values())
    over = f"means over {most} seeds" if most > 1 else "one seed"
    return Table(f"{part.title}: {split} split by {feature} ({over})", columns, tuple(rows))


def _hint(metric: str, space: str) -> str:
    return f"{figure_named(metric).definition}, {space} space"


def _called(segment: dict[str, Any]) -> str:
    if segment["values"] == 1:
        return str(segment["value"])
    return f"{segment['value']}, {segment['values']:,} values"


def _mean(seeds: Sequence[dict[str, Any]], metric: str, space: str) -> Value:
    values = []
    for segment in seeds:
        found = next(m for m in segment["metrics"] if (m["metric"], m["space"]) == (metric, space))
        if found["value"] is None:
            return Value("-", hint=found["undefined"])
        values.append(found["value"])
    mean = fmean(values)
    return Value(f"{mean:.4f}", mean)
