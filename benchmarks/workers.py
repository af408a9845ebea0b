"""A whole comparison on all cores beside its runs done alone, one after the other.

    python benchmarks/workers.py [--rows 200000] [--seeds 5] [--rounds 1]

Total time of `compare` (without tuning) of 5 methods x 5 seeds on workload B, from its start to
the written report, beside the sum of the times of the same 25 runs, each trained and judged on its
own in this process: once with one thread each, as `compare` runs them, and once with all threads.
The ideal of the first ratio is one over the number of cores. The sides take turns; ratios are
medians over rounds.
"""

import argparse
import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import postclick
from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.plan import Plan
from postclick.system.threads import cores
from workload import print_table, write_workload

METHODS = ("naive", "esmm", "escm2_ipw", "dcmt", "choruscvr")
TOGETHER, SINGLE, THREADED = "compare", "alone, one thread each", "alone, all threads each"


@dataclass(frozen=True)
class Comparison:
    """What is run, by either way."""

    log: PreparedLog
    methods: tuple[str, ...]
    seeds: int
    overrides: tuple[str, ...]

    def together(self, out: Path) -> float:
        """Seconds of `compare`."""
        began = time.perf_counter()
        postclick.compare(
            self.log.folder,
            self.methods,
            out,
            seeds=self.seeds,
            overrides=self.overrides,
            trials=0,
        )
        return time.perf_counter() - began

    def alone(self, out: Path, threads: int | None) -> float:
        """Sum of the seconds of the same runs, one after the other."""
        seconds = 0.0
        for job in Plan.make(self.methods, self.seeds, self.overrides).jobs:
            training = job.settings.training.model_copy(update={"threads": threads})
            settings = job.settings.model_copy(update={"training": training})
            folder = job.folder(out)
            folder.parent.mkdir(parents=True, exist_ok=True)
            began = time.perf_counter()
            run = postclick.train(self.log, settings, folder)
            run.evaluate(self.log, "test", keep_predictions=True)
            seconds += time.perf_counter() - began
        return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="compare beside its runs done alone.")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    taken: dict[str, list[float]] = {TOGETHER: [], SINGLE: [], THREADED: []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        log = write_workload(folder / "b", arguments.rows, arguments.rows // 2)
        overrides = (f"epochs={arguments.epochs}",)
        what = Comparison(log, tuple(arguments.methods), arguments.seeds, overrides)
        # The runs done alone share a process that has all loaded: fairer to them than to compare.
        for split in log.manifest.splits:
            log.rows(split)
        Comparison(log, what.methods[:1], 1, overrides).alone(folder / "warm", None)
        for _ in range(arguments.rounds):
            for name, run in (
                (TOGETHER, lambda: what.together(folder / "out")),
                (SINGLE, lambda: what.alone(folder / "out", 1)),
                (THREADED, lambda: what.alone(folder / "out", None)),
            ):
                taken[name].append(run())
                shutil.rmtree(folder / "out")
    table = {
        name: {
            "seconds": round(median(times), 2),
            "compare_over_this": round(
                median(c / t for c, t in zip(taken[TOGETHER], times, strict=True)), 3
            ),
        }
        for name, times in taken.items()
    }
    runs = len(arguments.methods) * arguments.seeds
    print_table(table)
    print(f"{runs} runs on {cores()} cores, ideal of the second line {1 / cores():.3f}")
    print(json.dumps({"rows": arguments.rows, "runs": runs, "cores": cores(), "sides": table}))


if __name__ == "__main__":
    main()
