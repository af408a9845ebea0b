"""A comparison's table made up from figures by seed, as the report reads it."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from helpers.results import CLEAR, tested
from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.plan import Plan
from postclick.experiments.comparison.results import COLUMNS
from postclick.experiments.comparison.summary import Gain, protocol, summarise
from postclick.reporting.folder import Part

# (metric, space) -> method -> value by seed, or the reason why there is none.
Figures = Mapping[tuple[str, str], Mapping[str, list[float | str]]]


def part_of(
    figures: Figures,
    log: PreparedLog,
    differences: Mapping[str, tuple[float, float, float]] | None = None,
    name: str = "fixed",
    gain: Gain | None = CLEAR,
) -> Part:
    """`differences`: difference of CVR-AUC to the best, low and high, of each other method.

    `gain` is what the test over rows says of whoever is best over seeds.
    """
    rows = [
        (name, method, seed, metric, space, *((None, v) if isinstance(v, str) else (v, None)))
        for (metric, space), methods in figures.items()
        for method, values in methods.items()
        for seed, v in enumerate(values)
    ]
    results = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    methods = list(dict.fromkeys(results["method"]))
    plan = Plan.make(methods, results["seed"].n_unique())
    training = plan.jobs[0].settings.training
    how = protocol(plan, log, "test", training, dict.fromkeys(methods, 3.0), {})
    found: dict[str, Any] = {
        method: {"difference": d, "low": low, "high": high}
        for method, (d, low, high) in (differences or {}).items()
    }
    best = next((method for method in methods if method not in found), None) if found else None
    intervals = {"best": best, "level": 0.95, "methods": found, "undefined": None}
    summary = tested(summarise(results, plan, how), gain)
    return Part(name, summary, results, {}, intervals, {})
