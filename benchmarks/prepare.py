"""Preparing a CSV log beside a plain read of the same file.

    python benchmarks/prepare.py [--rows 500000] [--rounds 3]

The log has the columns of workload B. `postclick.prepare` checks it, fits the vocabularies, draws
the validation and test rows, shuffles and writes Parquet shards; the other side is `pl.read_csv`,
all columns into memory. Both read a file that the system has cached. The sides alternate; the
ratio is the median over rounds of postclick's time over the read's.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

import postclick
from postclick.data.splits import LogSplits
from workload import WORKLOAD_B, print_table


def write_csv(path: Path, rows: int, seed: int = 0) -> None:
    """Write a raw log with the columns of workload B."""
    rng = np.random.default_rng(seed)
    columns = WORKLOAD_B.draw(rng, WORKLOAD_B.effects(rng), rows)
    pl.DataFrame(columns).write_csv(path)


def prepare_seconds(path: Path, out: Path) -> float:
    began = time.perf_counter()
    log = postclick.prepare(LogSplits(WORKLOAD_B.schema, postclick.open_log(path)), out)
    taken = time.perf_counter() - began
    if not all((out / s.file).exists() for s in log.split("train").shards):
        raise SystemExit("prepare left out a shard")
    shutil.rmtree(out)
    return taken


def read_seconds(path: Path, rows: int) -> float:
    began = time.perf_counter()
    frame = pl.read_csv(path)
    taken = time.perf_counter() - began
    if frame.height != rows:
        raise SystemExit(f"read {frame.height} rows of {rows}")
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description="postclick.prepare beside a plain CSV read.")
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows, pairs = arguments.rows, []
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "log.csv"
        write_csv(path, rows)
        size = path.stat().st_size
        read_seconds(path, rows)
        for _ in range(arguments.rounds):
            pairs.append((prepare_seconds(path, Path(scratch) / "out"), read_seconds(path, rows)))
    sides = dict(
        zip(("postclick.prepare", "polars.read_csv"), zip(*pairs, strict=True), strict=True)
    )
    table = {
        name: {
            "seconds": round(median(taken), 3),
            "rows_per_second": round(rows / median(taken)),
            "mb_per_second": round(size / 1e6 / median(taken), 1),
        }
        for name, taken in sides.items()
    }
    ratio = round(median(prepared / read for prepared, read in pairs), 2)
    print_table(table)
    print(f"ratio of times {ratio}")
    print(json.dumps({"rows": rows, "csv_bytes": size, "ratio": ratio, "sides": table}))


if __name__ == "__main__":
    main()
