"""Made-up results of comparisons: no run is needed to test what is made of them."""

from collections.abc import Mapping, Sequence

import polars as pl

from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.plan import Plan
from postclick.experiments.comparison.results import COLUMNS
from postclick.experiments.comparison.summary import Summary, protocol, summarise
from postclick.metrics.metric import MetricValue

# (metric, space) -> method -> value by seed, or the reason why there is none.
Figures = Mapping[tuple[str, str], Mapping[str, list[float | str]]]


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
) -> Summary:
    methods = list(dict.fromkeys(name for by_method in figures.values() for name in by_method))
    plan = Plan.make(methods, seeds, ["epochs=7"], backbone)
    passes = dict.fromkeys(methods, 7.0)
    training = plan.jobs[0].settings.training
    told = protocol(plan, log, "test", training, passes, dict(chosen or {}))
    return summarise(results(figures), plan, told, oracle)
