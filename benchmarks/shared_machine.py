"""ESMM on workload B while other processes want the same cores: rates, and ratios to idle ones.

    python benchmarks/shared_machine.py [--rows 200000] [--peer-rows 40000] [--rounds 3]

The script starts none, one and two neighbours that compute without a pause, and ends them; each
also ends by itself. In each state every side runs in a process of its own and makes three passes,
whose rates are those of the loop; what the process takes beside them (imports, machine code, the
log, validation, files) is printed apart. States and sides take turns in every round; figures are
medians over rounds, and ratios are of figures of one round.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

PASSES, NEIGHBOURS = 3, (0, 1, 2)
# A neighbour that nobody ends.
LONGEST = 600
BUSY = f"import time; end = time.monotonic() + {LONGEST}\nwhile time.monotonic() < end: pass"
SIDES = {"postclick": [], "postclick threads=1": ["threads=1"], "torch-rechub": None}


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """`count` processes that compute without a pause."""
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def train_ours(folder: Path, sets: list[str]) -> list[float]:
    """Rows a second of each pass."""
    from postclick.data.prepared import PreparedLog
    from workload import ONE_PASS, train_run

    log, rates = PreparedLog(folder), []
    with tempfile.TemporaryDirectory() as scratch:
        for k in range(PASSES):
            sizes = ("batch_size=4096", "embedding_dim=16")
            run = train_run(log, Path(scratch) / str(k), "esmm", *ONE_PASS, *sizes, *sets)
            rates.append(float(run.history[0]["rows_per_second"]))
    return rates


def train_peer(folder: Path) -> list[float]:
    """The same of torch-rechub."""
    from peers_libraries import PeerData, torch_rechub
    from postclick.data.prepared import PreparedLog

    data, rates = PeerData.of(PreparedLog(folder)), []
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(PASSES):
            rates.append(torch_rechub(data, 4096, 16384, Path(scratch)).training)
    return rates


def measure(side: str, folder: Path) -> None:
    """In a process of its own: print the rates of the passes, or why there are none."""
    sets = SIDES[side]
    try:
        with contextlib.redirect_stderr(None):
            rates = train_peer(folder) if sets is None else train_ours(folder, sets)
    except ImportError as error:
        print(json.dumps({"left_out": str(error).splitlines()[0]}))
        return
    print(json.dumps({"rates": rates}))


def run_child(side: str, folder: Path) -> dict[str, Any]:
    """What `measure` prints in a process of its own, and the seconds of that process."""
    command = [sys.executable, __file__, "--side", side, "--log", str(folder)]
    began = time.monotonic()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "wall": time.monotonic() - began}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--peer-rows", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        measure(given.side, given.log)
        return
    from postclick.training.precision import units
    from workload import print_table, write_workload

    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        sizes = {side: given.peer_rows if s is None else given.rows for side, s in SIDES.items()}
        for rows in set(sizes.values()):
            write_workload(Path(scratch) / str(rows), rows, 2000)
        for number in range(given.rounds + 1):
            for busy in NEIGHBOURS if number else (0,):
                for side, rows in sizes.items():
                    with neighbours(busy):
                        result = run_child(side, Path(scratch) / str(rows))
                    # The first round loads files and compiles; it is not counted.
                    if "left_out" in result:
                        left_out[side] = result["left_out"]
                    elif number:
                        in_passes = sum(rows / rate for rate in result["rates"])
                        result["beside"] = result["wall"] - in_passes
                        found.setdefault((side, busy), []).append(result)
    table = {}
    for (side, busy), results in found.items():
        idle = found[side, 0]
        table[f"{side}, {busy} busy"] = {
            "beside, s": round(median(r["beside"] for r in results), 1),
            **{
                f"pass {k + 1}": round(median(r["rates"][k] for r in results))
                for k in range(PASSES)
            },
            "second / first": round(median(r["rates"][1] / r["rates"][0] for r in results), 2),
            "over idle": round(
                median(
                    median(r["rates"]) / median(i["rates"])
                    for r, i in zip(results, idle, strict=True)
                ),
                2,
            ),
        }
    print_table(table)
    for side, reason in left_out.items():
        print(f"{side} left out: {reason}")
    facts = {"rows": given.rows, "peer_rows": given.peer_rows, "rounds": given.rounds}
    print(json.dumps({**facts, "units": units(), "left_out": left_out, "sides": table}))


if __name__ == "__main__":
    main()
