"""What training costs by the rows of the log: `click_prior` beside `naive`, one thread each.

    python benchmarks/fit_cost.py [--rows 60000 1000000 10000000] [--methods naive click_prior]
        [--data FOLDER ...]

Logs of the world `confounded` with click and conversion rates of .1, prepared here or, by `--data`,
before. CPU seconds and the peak memory of a process that trains once; ratios are of one run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fresh_draws import print_markdown
from peak_memory import peak_megabytes


def prepared(folder: Path, rows: int) -> Path:
    """A log with so many training rows."""
    from postclick.data.write.prepare import prepare
    from postclick.datasets.opening import open_splits
    from postclick.datasets.simulated import write_simulated

    raw, share = folder / "log", 0.05
    every = round(rows / (1 - share) / 0.9)  # a tenth of what is not test is validation
    write_simulated(raw, "confounded", every, ctr=0.1, cvr=0.1, test_fraction=share)
    splits = open_splits(raw / "schema.yaml", raw / "train.parquet", raw / "test.parquet")
    prepare(splits, folder / "data")
    return folder / "data"


def cost(data: str, method: str) -> None:
    """Train once, and print what it took."""
    from postclick import PreparedLog, RunSettings, train

    log = PreparedLog(data)
    settings = RunSettings.make(method, overrides=["threads=1"])
    with tempfile.TemporaryDirectory() as folder:
        began, clock = time.process_time(), time.perf_counter()
        train(log, settings, Path(folder) / "run")
        took = time.process_time() - began, time.perf_counter() - clock
    rows = log.split("train").rows
    print(json.dumps({"rows": rows, "cpu": took[0], "wall": took[1], "peak": peak_megabytes()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[60_000, 1_000_000, 10_000_000])
    parser.add_argument("--data", nargs="*", default=[])
    parser.add_argument("--methods", nargs="+", default=["naive", "click_prior"])
    parser.add_argument("--cost", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.cost:
        return cost(*given.cost)
    table = []
    with tempfile.TemporaryDirectory() as scratch:
        places = [Path(place) for place in given.data]
        places += [prepared(Path(scratch) / str(rows), rows) for rows in given.rows]
        for place in places:
            first = None
            for method in given.methods:
                command = [sys.executable, __file__, "--cost", str(place), method]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                told = json.loads(done.stdout.splitlines()[-1])
                first = first or told["cpu"]
                table.append(
                    {
                        "training rows": f"{told['rows']:,}",
                        "method": method,
                        "CPU s": f"{told['cpu']:.1f}",
                        "ratio": f"{told['cpu'] / first:.2f}",
                        "peak MB": f"{told['peak']:,.0f}",
                    }
                )
                print(json.dumps(table[-1]), flush=True)
    print_markdown(table)
    return None


if __name__ == "__main__":
    main()
