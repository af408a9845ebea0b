"""What a step of ESMM costs as the embedding table grows.

    python benchmarks/table_growth.py [--rows 400000] [--rounds 5] [--millions 1.33 5 10]

Workload B with the vocabularies of its seven large fields scaled until the table has the given
millions of rows; ids stay Zipf 1.05 over each field. Default training settings, dim 16, batch 4096.
Timed are all parts of a bare step (loader, loss, backward, optimizer) and, after the pass, the
catch-up that brings every row of the table to the present, which `train` does once in a pass. Each
size keeps its model from round to round and makes one pass before the first, so that no memory is
fetched from the system while the clock runs. Sizes take their turn in every round; figures are
medians over rounds, ratios are of the largest table over the smallest.

The catch-up goes by the table's rows and not by the log's: with 40 million impressions a pass has
10,000 steps to share it; `ms_per_step_all` shares it among the steps of this run's pass.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from floor import SETTINGS, Bare, Clock
from postclick import RunSettings
from postclick.system.process import training_process
from workload import FIELD_SIZES, Workload, print_table, write_log

LARGE = 30_000


def sizes_for(rows: int) -> tuple[int, ...]:
    """The fields of workload B with the large ones scaled to `rows` table rows in all."""
    large = sum(size for size in FIELD_SIZES if size > LARGE)
    rest = sum(FIELD_SIZES) - large
    if rows <= rest:
        raise SystemExit(f"--millions: more than {rest / 1e6:.3f} are needed, the small fields'")
    factor = (rows - rest) / large
    return tuple(round(size * factor) if size > LARGE else size for size in FIELD_SIZES)


def one_pass(bare: Bare) -> tuple[float, float]:
    """Milliseconds of a step, and of the catch-up after the pass."""
    step = sum(bare.one_pass(Clock()).values())
    began = time.perf_counter()
    bare.table.catch_up()
    return step, 1e3 * (time.perf_counter() - began)


def measure(folder: Path, millions: list[float], rows: int, rounds: int) -> dict[str, Any]:
    """Medians by table size."""
    settings = RunSettings.make("esmm", overrides=SETTINGS)
    found: dict[str, list[tuple[float, float]]] = {}
    with training_process(None):
        sides = {}
        for size in millions:
            name = f"{size:g}M"
            workload = Workload(f"b-{name}", sizes_for(round(1e6 * size)))
            sides[name] = Bare(write_log(workload, folder / name, rows, 1000), settings)
            one_pass(sides[name])
            found[name] = []
        for _ in range(rounds):
            for name, bare in sides.items():
                found[name].append(one_pass(bare))
    table = {}
    for name, passes in found.items():
        step, catch_up = (median(column) for column in zip(*passes, strict=True))
        bare = sides[name]
        table[name] = {
            "table_rows": sum(bare.log.inputs.field_sizes),
            "ms_per_step": round(step, 3),
            "catch_up_ms": round(catch_up, 1),
            "ms_per_step_all": round(step + catch_up / bare.steps, 3),
        }
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--millions", type=float, nargs="+", default=[1.33, 5, 10])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        millions = sorted(arguments.millions)
        table = measure(Path(scratch), millions, arguments.rows, arguments.rounds)
    smallest, *_, largest = [next(iter(table.values())), *table.values()]
    ratios = {
        column: round(largest[column] / smallest[column], 3)
        for column in ("table_rows", "ms_per_step", "catch_up_ms", "ms_per_step_all")
    }
    print_table({**table, "largest/smallest": ratios})
    facts = {"rows": arguments.rows, "rounds": arguments.rounds}
    facts |= {"torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps({**facts, "tables": table, "largest_over_smallest": ratios}))


if __name__ == "__main__":
    main()
