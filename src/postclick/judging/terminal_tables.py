"""Metrics per value of a feature as tables for a terminal."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from postclick.judging.segments import FeatureSegments, Segment
from postclick.metrics.catalogue import figure_named
from postclick.metrics.metric import MetricValue

Pair = tuple[str, str]


def tables(by: Sequence[FeatureSegments]) -> list[Table]:
    """For each feature a table on recorded labels and, where truth is known, one against truth."""
    made = []
    for one in by:
        pairs = _pairs(one)
        against = [pair for pair in pairs if figure_named(pair[0]).needs_truth]
        recorded = [pair for pair in pairs if pair not in against]
        counts = "rows", "clicks", "conversions"
        made.append(_table(one, counts, recorded, f"By {one.feature}: recorded labels"))
        if against:
            made.append(_table(one, counts[:1], against, f"By {one.feature}: against known truth"))
    return made


def footnotes(by: Sequence[FeatureSegments], file: str = "metrics.json") -> list[str]:
    """What a reader of the tables has to know; `file` has all figures."""
    undefined = any(
        metric.value is None for one in by for segment in one.segments for metric in segment.metrics
    )
    return [f"-: undefined there; {file} says why."] if undefined else []


def _table(one: FeatureSegments, counts: Sequence[str], pairs: Sequence[Pair], title: str) -> Table:
    table = Table(title=escape(title), title_justify="left")
    table.add_column("value", overflow="fold", min_width=16)
    for name in counts:
        table.add_column(name, justify="right")
    for metric, space in pairs:
        # Word below word: a dozen columns fit beside each other.
        table.add_column(f"{metric}_{space}".replace("_", "\n"), justify="right", no_wrap=True)
    for segment in one.segments:
        found = _by_pair(segment)
        cells = [f"{getattr(segment, name):,}" for name in counts]
        cells += [_text(found[pair]) for pair in pairs]
        table.add_row(escape(_called(segment)), *cells)
    return table


def _called(segment: Segment) -> str:
    """A value, and of how many the others are."""
    return segment.value if segment.values == 1 else f"{segment.value}, {segment.values:,} values"


def _pairs(one: FeatureSegments) -> list[Pair]:
    """What has a value in some segment, in the order of the metrics."""
    defined = {
        (metric.metric, metric.space)
        for segment in one.segments
        for metric in segment.metrics
        if metric.value is not None
    }
    every = (pair for segment in one.segments[:1] for pair in _by_pair(segment))
    return [pair for pair in every if pair in defined]


def _by_pair(segment: Segment) -> dict[Pair, MetricValue]:
    return {(metric.metric, metric.space): metric for metric in segment.metrics}


def _text(metric: MetricValue) -> str:
    return "-" if metric.value is None else f"{metric.value:.4f}"
