"""What a training sample of each method costs beside one of ESMM; EVI beside a plain version.

    python benchmarks/methods.py [--rows 400000] [--rounds 3] [--evi-rows 160000]

On workload B at batch 4096 and dim 16, every method of the roster with default options and the
same backbone (`--backbone auto`: each paper's own), lazy Adam, one pass; methods with preparing
phases are charged the time of all their phases for each row of the one pass. Rates are those of
history.jsonl. All methods take their turn in each round; a ratio is the median over rounds of the
method's time over ESMM's of the same round. EVI on workload A: see benchmarks/plain_evi.py;
`--evi-rows 0` leaves it out.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import torch

from plain_evi import compare_evi
from postclick.experiments.comparison.plan import FIXED_BACKBONE
from postclick.methods import METHODS
from workload import ONE_PASS, print_table, seconds_per_row, train_run, write_workload

BATCH, DIM = 4096, 16
BASE, SHOWN = "esmm", "choruscvr"


def measure(
    folder: Path, rows: int, rounds: int, names: list[str], backbone: str
) -> dict[str, dict[str, Any]]:
    """Microseconds per row and cost over ESMM's, by method."""
    sets = (*ONE_PASS, f"batch_size={BATCH}", f"embedding_dim={DIM}", f"backbone={backbone}")
    log = write_workload(folder / "b", rows, rows // 4)
    for split in ("train", "valid"):
        log.rows(split)
    # Loads the compiled kernel and warms the machine up; not counted.
    train_run(log, folder / "warm", BASE, *sets)
    costs: dict[str, list[float]] = {name: [] for name in names}
    passes = {}
    for number in range(rounds):
        for name in names:
            out = folder / f"{number}-{name}"
            run = train_run(log, out, name, *sets, seed=number)
            costs[name].append(seconds_per_row(run, log))
            passes[name] = len(run.history)
            shutil.rmtree(out)
    return {
        name: {
            "passes": passes[name],
            "us_per_row": round(1e6 * median(taken), 3),
            "cost_over_esmm": round(
                median(mine / base for mine, base in zip(taken, costs[BASE], strict=True)), 2
            ),
        }
        for name, taken in costs.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost per sample of every method over ESMM's.")
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="NAME")
    parser.add_argument("--backbone", default=FIXED_BACKBONE)
    parser.add_argument("--evi-rows", type=int, default=160_000)
    arguments = parser.parse_args()
    rows, rounds = arguments.rows, arguments.rounds
    names = list(dict.fromkeys((BASE, *arguments.methods)))
    evi = None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        methods = measure(folder, rows, rounds, names, arguments.backbone)
        if arguments.evi_rows:
            evi = compare_evi(folder, arguments.evi_rows, rounds)
    by_cost = sorted(methods, key=lambda name: methods[name]["cost_over_esmm"])
    print_table({name: methods[name] for name in by_cost})
    if SHOWN in methods:
        print(f"\n{SHOWN} over {BASE}: {methods[SHOWN]['cost_over_esmm']}")
    if evi is not None:
        print()
        print_table({"EVI on A, over a plain one": evi})
    figures = {"threads": torch.get_num_threads(), "rows": rows, "backbone": arguments.backbone}
    print(json.dumps({**figures, "methods": methods, "evi": evi}))


if __name__ == "__main__":
    main()
