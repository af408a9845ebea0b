"""Made-up results of comparisons: no run is needed to test what is made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.plan import Arm, Plan
from postclick.experiments.comparison.results import COLUMNS
from postclick.experiments.comparison.summary import (
    Gain,
    RowTest,
    Summary,
    protocol,
    summarise,
)
from postclick.metrics.metric import MetricValue

# (metric, space) -> method -> value by seed, or the reason why there is none.
Figures = Mapping[tuple[str, str], Mapping[str, list[float | str]]]
CLEAR = Gain(0.1, 0.07, 0.13)


def results(figures: Figures) -> pl.DataFrame:
    """As `compare` collects them."""
    rows = [
        (
            "fixed",
            method,
            seed,
            metric,
            space,
            *((value, None) if is_number(value) else (None, value)),
        )
        for (metric, space), methods in figures.items()
        for method, values in methods.items()
        for seed, value in enumerate(values)
    ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def is_number(value: float | str) -> bool:
    return not isinstance(value, str)


def summary_of(
    figures: Figures,
    log: PreparedLog,
    seeds: int,
    backbone: str = "auto",
    chosen: Mapping[str, Mapping[str, float]] | None = None,
    oracle: Sequence[MetricValue] = (),
    gain: Gain | None = CLEAR,
    arms: Sequence[Arm] | None = None,
) -> Summary:
    """`gain` is what the test over rows says of whoever is best over seeds, over each other."""
    methods = list(dict.fromkeys(name for by_method in figures.values() for name in by_method))
    plan = Plan.make(arms or methods, seeds, ["epochs=7"], backbone)
    passes = dict.fromkeys(methods, 7.0)
    training = plan.jobs[0].settings.training
    told = protocol(plan, log, "test", training, passes, dict(chosen or {}))
    return tested(summarise(results(figures), plan, told, oracle), gain)


def tested(summary: Summary, gain: Gain | None) -> Summary:
    """As with a test over rows that gives this gain over each other method."""
    rows = []
    for row in summary.rows:
        best = row.best_over_seeds
        others = {name: gain for name in summary.methods if name != best}
        rows.append(replace(row, over_rows=RowTest(0.95, "impressions", others) if best else None))
    return replace(summary, rows=tuple(rows))
