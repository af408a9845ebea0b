"""ESMM on workload B beside other libraries, in one run: training and evaluation rate, test AUCs.

    make bench         (or: python benchmarks/peers.py [--rows 400000] [--rounds 3] [--batch 4096])

All sides: two towers 128-64-32, dim 16, Adam 1e-3 with decay 1e-5, one pass over the training
rows, then the test rows (half as many) are scored in batches four times as large and judged. Sides
take their turn in every round; rates and AUCs are medians over rounds, ratios are of medians.
`--batch 1024` is the batch size at which small logs are trained.

postclick runs through its public API with progress, logging and checkpoints on. Its training rate
is the one in history.jsonl, loader included; its evaluation opens the run folder and computes all
metrics (AUC, NLL, calibration, ... of every head and space). Peers run their own trainers and
loaders and compute only AUCs: three in torch-rechub, two in the others; see peers_libraries.py.
FuxiCTR has no ESMM, so the product of two towers is put on its multi-task trainer and layers; its
loader has a worker process of its own, everything else runs in this one. A peer that is not
installed (`pip install postclick[bench]`) is left out and named under `left_out`.
"""

import argparse
import contextlib
import io
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

from peers_libraries import BASE, DIM, PEERS, PeerData, Result
from postclick import RunSettings, train
from postclick.data.prepared import PreparedLog
from postclick.progress import PlainReporter
from postclick.training.precision import units
from workload import ONE_PASS, print_table, write_workload

OURS = {
    "postclick": ["optimizer=lazy_adam"],
    "postclick exact_adam": ["optimizer=exact_adam"],
    "postclick bf16": ["optimizer=lazy_adam", "precision=bf16"],
}
Side = Callable[[Path], Result]


def postclick(log: PreparedLog, sets: list[str], batch: int, seed: int, scratch: Path) -> Result:
    """One pass through `train`, then `Run.evaluate`."""
    sizes = [f"batch_size={batch}", f"eval_batch_size={4 * batch}", f"embedding_dim={DIM}"]
    settings = RunSettings.make("esmm", overrides=[*ONE_PASS, *sizes, *sets], seed=seed)
    with contextlib.redirect_stderr(io.StringIO()):
        run = train(log, settings, scratch / "run", reporter=PlainReporter())
    began = time.perf_counter()
    judgement = run.evaluate(log, "test")
    scoring = log.split("test").rows / (time.perf_counter() - began)
    aucs = (judgement.value("ctr_auc"), judgement.value("ctcvr_auc"))
    return Result(run.history[0]["rows_per_second"], scoring, *aucs)


def measure(log: PreparedLog, folder: Path, rounds: int, batch: int) -> tuple[Any, Any]:
    """Results of each side round by round, and why a peer was left out."""
    data = PeerData.of(log)
    results: dict[str, list[Result]] = {name: [] for name in (*PEERS, *OURS)}
    left_out: dict[str, str] = {}
    # Loads the compiled kernel; not counted.
    _in_scratch(partial(postclick, log, [], batch, 0), folder)
    for number in range(rounds):
        for name in results:
            torch.manual_seed(number)
            if name in OURS:
                side: Side = partial(postclick, log, OURS[name], batch, number)
            else:
                side = partial(PEERS[name], data, batch, 4 * batch)
            if name in left_out:
                continue
            try:
                results[name].append(_in_scratch(side, folder))
            except ImportError as error:
                left_out[name] = str(error).splitlines()[0]
    return {name: found for name, found in results.items() if found}, left_out


def _in_scratch(side: Callable[..., Result], folder: Path) -> Result:
    scratch = folder / "scratch"
    scratch.mkdir()
    try:
        # Peers take the folder as their last argument, postclick does too.
        return side(scratch)
    finally:
        shutil.rmtree(scratch)


def summary(results: dict[str, list[Result]]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Medians and ratios by side, and the fastest peer in training and in evaluation."""
    middle = {
        name: {
            field: _median([getattr(result, field) for result in found]) for field in Result._fields
        }
        for name, found in results.items()
    }
    peers = [name for name in middle if name in PEERS]
    best = {
        field: max(peers, key=lambda name: middle[name][field])
        for field in ("training", "scoring")
        if peers
    }
    table = {}
    for name, row in middle.items():
        entry: dict[str, Any] = {}
        for field, label in (("training", "train"), ("scoring", "eval")):
            entry[f"{label}_rows_per_s"] = round(row[field])
            for other, word in ((BASE, "rechub"), (best.get(field), "best_peer")):
                base = middle.get(other or "")
                entry[f"{label}_over_{word}"] = base and round(row[field] / base[field], 2)
        for field in ("ctr_auc", "ctcvr_auc"):
            entry[field] = None if row[field] is None else round(row[field], 4)
        table[name] = entry
    return table, best


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4096)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        log = write_workload(Path(scratch) / "b", arguments.rows, arguments.rows // 2)
        results, left_out = measure(log, Path(scratch), arguments.rounds, arguments.batch)
    table, best = summary(results)
    print_table(table)
    for name, reason in left_out.items():
        print(f"{name} left out: {reason}")
    facts = {**vars(arguments), "torch": torch.__version__, "threads": torch.get_num_threads()}
    facts["units"] = units()
    print(f"processor units for matrix products: {facts['units']}")
    print(json.dumps({**facts, "best_peer": best, "left_out": left_out, "sides": table}))


if __name__ == "__main__":
    main()
