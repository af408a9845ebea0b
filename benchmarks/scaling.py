"""How the training cost of a row grows with rows, fields, dim, vocabulary, heads and batch.

    python benchmarks/scaling.py [--rows 200000] [--rounds 3] [--plot FILE.html]

One factor at a time is changed around a base: ESMM, 16 fields of together 160,000 embedding rows,
dim 16, batch 4096. Heads are changed by the method. Rates are those of history.jsonl, of the second
of two passes: the first also fetches the memory of the optimizer's state from the system.
All points take their turn in each round; a point's cost is the median over rounds of its time per
row over the base's of the same round. The exponent of a factor is the slope of a line through log
cost against log factor: 0 where the cost of a row does not grow, 1 where it grows in proportion.
`--plot` writes a page that needs nothing else, or an .svg where kaleido is installed.
"""

import argparse
import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from postclick.data.prepared import BaseRates, PreparedLog
from postclick.methods import METHODS
from workload import ONE_PASS, Workload, print_table, train_run, write_log


@dataclass(frozen=True)
class Point:
    """One way of training; `vocabulary` counts embedding rows of all fields together."""

    rows: int
    fields: int = 16
    dim: int = 16
    vocabulary: int = 160_000
    method: str = "esmm"
    batch: int = 4096

    @property
    def heads(self) -> int:
        method = METHODS[self.method]
        return len(method.all_heads(method.Config(), BaseRates(0.05, 0.1)))

    def cost(self, folder: Path, logs: Path) -> float:
        """Seconds per row of the second pass."""
        name = f"{self.rows}-{self.fields}-{self.vocabulary}"
        workload = Workload(name, (self.vocabulary // self.fields,) * self.fields)
        path = logs / name
        log = PreparedLog(path) if path.exists() else write_log(workload, path, self.rows, 20_000)
        for split in ("train", "valid"):
            log.rows(split)
        sets = (f"embedding_dim={self.dim}", f"batch_size={self.batch}", "backbone=share_bottom")
        run = train_run(log, folder / "run", self.method, *ONE_PASS, "epochs=2", *sets)
        found = 1 / float(run.history[-1]["rows_per_second"])
        shutil.rmtree(folder / "run")
        return found


def points(base: Point) -> dict[str, list[tuple[str, Point]]]:
    """For each factor its values, as they are shown, and the points that have them."""

    def series(factor: str, values: list[Any]) -> list[tuple[str, Point]]:
        made = [replace(base, **{factor: value}) for value in values]
        return [(str(value), point) for value, point in zip(values, made, strict=True)]

    rows = [base.rows // 4, base.rows // 2, base.rows, base.rows * 2]
    heads = [replace(base, method=name) for name in ("naive", "esmm", "dcmt", "choruscvr")]
    return {
        "rows": series("rows", rows),
        "fields": series("fields", [4, 8, 16, 32, 64]),
        "dim": series("dim", [4, 8, 16, 32, 64]),
        "vocabulary": series("vocabulary", [16_000, 160_000, 1_600_000, 4_800_000]),
        "heads": [(f"{point.heads} ({point.method})", point) for point in heads],
        "batch": series("batch", [512, 1024, 2048, 4096, 8192]),
    }


def exponent(shown: list[str], costs: list[float]) -> float | None:
    """Slope in logarithms; none for values that are not numbers."""
    if not all(value.isdigit() for value in shown) or len(set(shown)) < 2:
        return None
    return round(float(np.polyfit(np.log([int(v) for v in shown]), np.log(costs), 1)[0]), 3)


def plot(factors: dict[str, Any], path: Path) -> None:
    """A panel for each factor."""
    figure = make_subplots(rows=2, cols=3, subplot_titles=list(factors))
    for k, (factor, found) in enumerate(factors.items()):
        line = go.Scatter(x=found["values"], y=found["cost"], mode="lines+markers", name=factor)
        figure.add_trace(line, row=k // 3 + 1, col=k % 3 + 1)
    figure.update_xaxes(type="category")
    figure.update_yaxes(rangemode="tozero")
    figure.update_layout(
        title="Training cost of a row over the base's", showlegend=False, template="simple_white"
    )
    if path.suffix == ".svg":
        figure.write_image(path)
    else:
        figure.write_html(path, include_plotlyjs=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Training cost per row, one factor at a time.")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--factors", nargs="+", choices=points(Point(1)), metavar="FACTOR")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.plot and arguments.plot.suffix not in (".html", ".svg"):
        parser.error("--plot takes a file that ends in .html or .svg")
    if arguments.plot and arguments.plot.suffix == ".svg" and find_spec("kaleido") is None:
        parser.error("--plot FILE.svg needs kaleido, which is not installed: use .html")
    base = Point(arguments.rows)
    all_factors = points(base)
    chosen = {name: all_factors[name] for name in arguments.factors or all_factors}
    wanted = list(dict.fromkeys([base, *(p for s in chosen.values() for _, p in s)]))
    taken: dict[Point, list[float]] = {point: [] for point in wanted}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        base.cost(folder, folder / "logs")  # loads the compiled kernel; not counted
        for _ in range(arguments.rounds):
            for point in wanted:
                taken[point].append(point.cost(folder, folder / "logs"))
    factors: dict[str, Any] = {}
    table: dict[str, dict[str, Any]] = {}
    for factor, series in chosen.items():
        shown = [value for value, _ in series]
        costs = [
            round(median(t / b for t, b in zip(taken[p], taken[base], strict=True)), 3)
            for _, p in series
        ]
        factors[factor] = {"values": shown, "cost": costs, "exponent": exponent(shown, costs)}
        for (value, point), cost in zip(series, costs, strict=True):
            us = round(1e6 * median(taken[point]), 3)
            table[f"{factor} {value}"] = {"us_per_row": us, "cost_over_base": cost}
    print_table(table)
    print({name: found["exponent"] for name, found in factors.items()})
    if arguments.plot:
        plot(factors, arguments.plot)
    print(json.dumps({"rows": arguments.rows, "rounds": arguments.rounds, "factors": factors}))


if __name__ == "__main__":
    main()
