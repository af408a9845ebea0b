"""A step of `RowwiseAdam` on a large table, beside torch's SparseAdam and dense Adam.

    python benchmarks/rowwise_adam.py [--table 1000000] [--rounds 5] [--steps 30] [--threads 1]

A plain loop (zero_grad, lookup, loss, backward, step) on one `nn.Embedding` of dim 16: 4096 ids a
batch, Zipf 1.05 over the table. All sides begin with the same weights, see the same batches and
take their turn in every round; figures are medians over rounds, and the two columns of ratios how
much longer torch's optimizers take. The catch-up, which modes `exact` and `lazy` need once before
the table is read as a whole, is timed apart, after the last round.

Ends with an error if `sparse` is not SparseAdam's table or `exact` not dense Adam's, to 1e-5.
"""

import argparse
import json
import time
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from postclick.optim import RowwiseAdam
from postclick.system.process import training_process
from postclick.system.threads import cores
from workload import print_table, zipf_ids

DIM, BATCH, COLD, TOLERANCE = 16, 4096, 5, 1e-5
# An eps that is nothing beside the gradients: SparseAdam adds it before the bias correction.
OPTIONS: dict[str, Any] = {"lr": 1e-3, "eps": 1e-12}
SPARSE, DENSE = "torch SparseAdam", "torch Adam, dense"
# Ours, and the optimizer of torch whose table each has to end at.
OURS = {
    "RowwiseAdam sparse": ("sparse", SPARSE),
    "RowwiseAdam lazy": ("lazy", None),
    "RowwiseAdam exact": ("exact", DENSE),
}


class Side:
    """An embedding with its optimizer."""

    def __init__(self, name: str, start: Tensor) -> None:
        self.embedding = nn.Embedding.from_pretrained(
            start.clone(), freeze=False, sparse=name != DENSE
        )
        parameters = self.embedding.parameters()
        self.optimizer: torch.optim.Optimizer
        if name == DENSE:
            self.optimizer = torch.optim.Adam(parameters, **OPTIONS, fused=True)
        elif name == SPARSE:
            self.optimizer = torch.optim.SparseAdam(parameters, **OPTIONS)
        else:
            self.optimizer = RowwiseAdam(parameters, **OPTIONS, mode=OURS[name][0])
            self.optimizer.attach(self.embedding)

    def steps(self, batches: list[tuple[Tensor, Tensor]]) -> float:
        """Milliseconds of a step; the first few find the caches full of another side's table."""
        began = 0.0
        for k, (ids, target) in enumerate(batches):
            if k == COLD:
                began = time.perf_counter()
            self.optimizer.zero_grad()
            (self.embedding(ids) * target).sum().backward()
            self.optimizer.step()
        return 1e3 * (time.perf_counter() - began) / (len(batches) - COLD)

    def catch_up(self) -> float:
        """Milliseconds of it."""
        began = time.perf_counter()
        if isinstance(self.optimizer, RowwiseAdam):
            self.optimizer.catch_up()
        return 1e3 * (time.perf_counter() - began)


def draw(rows: int, steps: int, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Ids [4096] and what their embeddings are multiplied with [4096, 16]."""
    rng = np.random.default_rng(seed)
    ids = torch.from_numpy(zipf_ids(rng, rows, steps * BATCH).astype(np.int64)).split(BATCH)
    return [(i, torch.from_numpy(rng.standard_normal((BATCH, DIM), dtype=np.float32))) for i in ids]


def measure(rows: int, rounds: int, steps: int) -> dict[str, dict[str, Any]]:
    """For each side what a step takes, and how far its table is from torch's in the end."""
    start = 0.05 * torch.randn(rows, DIM, generator=torch.Generator().manual_seed(0))
    sides = {name: Side(name, start) for name in (SPARSE, DENSE, *OURS)}
    batches = draw(rows, steps * (rounds + 1), seed=1)
    found: dict[str, list[float]] = {name: [] for name in sides}
    for k in range(rounds + 1):  # before the first, one in which code and memory are fetched
        for name, side in sides.items():
            found[name].append(side.steps(batches[k * steps : (k + 1) * steps]))
    table: dict[str, dict[str, Any]] = {}
    for name, side in sides.items():
        times = found[name][1:]

        def over(other: str, times: list[float] = times) -> float:
            pairs = zip(found[other][1:], times, strict=True)
            return round(median(theirs / ours for theirs, ours in pairs), 2)

        table[name] = {
            "ms_per_step": round(median(times), 3),
            "sparse_adam_over_this": over(SPARSE),
            "dense_adam_over_this": over(DENSE),
            "catch_up_ms": round(side.catch_up(), 1),
        }
    for name, (_, twin) in OURS.items():
        if twin is not None:
            apart = sides[name].embedding.weight - sides[twin].embedding.weight
            table[name]["off"] = float(apart.detach().abs().max())
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=int, default=1_000_000, help="rows of the table")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30, help=f"of a round, {COLD} not timed")
    parser.add_argument("--threads", type=int, help="torch's own choice without it")
    arguments = parser.parse_args()
    if arguments.steps <= COLD:
        parser.error(f"--steps must be more than the {COLD} that are not timed")
    with training_process(arguments.threads):
        facts = {"threads": torch.get_num_threads(), "cores": cores(), "torch": torch.__version__}
        table = measure(arguments.table, arguments.rounds, arguments.steps)
    off = {name: row.pop("off") for name, row in table.items() if "off" in row}
    print_table(table)
    for name, value in off.items():
        print(f"{name} ends within {value:.1e} of {OURS[name][1]}")
    facts |= {"table": arguments.table, "rounds": arguments.rounds, "steps": arguments.steps}
    print(json.dumps({**facts, "sides": table, "off": off}))
    if max(off.values()) > TOLERANCE:
        raise SystemExit(f"tables differ by {max(off.values()):.1e}")


if __name__ == "__main__":
    main()
