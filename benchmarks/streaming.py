"""An epoch of a log streamed from disk beside the same log held in memory.

    python benchmarks/streaming.py [--rows 2000000] [--rounds 3]

Workload B in shards of a sixteenth of the log, ESMM at batch 4096. The streamed side may hold a
quarter of the log's size; two shards, the one in use and the one read ahead, stay below that. Each
side trains two epochs in a process of its own, so that the peak memory is that side's: the first
epoch of the side in memory reads the log, the second does not. A third process trains on a few
rows of the same vocabulary: what the other two need beyond it is what the log takes. The sides
alternate; ratios are medians over rounds of streamed over in-memory time.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from peak_memory import peak_megabytes
from postclick.data import prepared
from postclick.data.prepared import PreparedLog
from workload import ONE_PASS, WORKLOAD_B, child, print_table, train_run, write_log

BATCH, SHARDS, SHARE = 4096, 16, 0.25
SIDES = ("memory", "streamed", "control")
SETTINGS = (*ONE_PASS, "epochs=2", f"batch_size={BATCH}")


def log_bytes(log: PreparedLog) -> int:
    """What the training split takes in memory: 4 bytes for each id and label of a row."""
    return log.split("train").rows * 4 * (len(log.manifest.ids) + 2)


def generate(folder: Path, rows: int) -> dict[str, int]:
    """In a process of its own as well."""
    shard = -(-rows // SHARDS // BATCH) * BATCH
    log = write_log(WORKLOAD_B, folder / "log", shard * SHARDS, 20_000, shard_rows=shard)
    write_log(WORKLOAD_B, folder / "control", BATCH, 20_000)
    return {
        "rows": shard * SHARDS,
        "log_bytes": log_bytes(log),
        "cap_bytes": int(log_bytes(log) * SHARE),
        "two_shards_bytes": 2 * log_bytes(log) // SHARDS,
    }


def measure(folder: Path, side: str) -> dict[str, Any]:
    """Seconds of both epochs, and the peak, of one side."""
    log = PreparedLog(folder / ("control" if side == "control" else "log"))
    if side == "streamed":
        prepared.IN_MEMORY_BYTES = int(log_bytes(log) * SHARE)
    if log.fits_in_memory("train") == (side == "streamed"):
        raise SystemExit(f"{side}: the log is on the wrong side of the cap")
    rows = log.split("train").rows
    with tempfile.TemporaryDirectory() as scratch:
        history = train_run(log, Path(scratch) / "run", "esmm", *SETTINGS).history
    first, second = (rows / record["rows_per_second"] for record in history)
    return {
        "first_epoch_s": first,
        "next_epoch_s": second,
        "peak_bytes": int(peak_megabytes() * 2**20),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="A streamed log beside one in memory.")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--generate", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "SIDE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.generate:
        print(json.dumps(generate(arguments.generate, arguments.rows)))
        return
    if arguments.measure:
        print(json.dumps(measure(Path(arguments.measure[0]), arguments.measure[1])))
        return
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        sizes = child(__file__, "--generate", folder, "--rows", arguments.rows)
        for _ in range(arguments.rounds):
            for side in SIDES:
                runs[side].append(child(__file__, "--measure", folder, side))
    middle = {
        side: {key: median(run[key] for run in of_side) for key in of_side[0]}
        for side, of_side in runs.items()
    }
    control = middle["control"]["peak_bytes"]
    table = {
        side: {
            "first_epoch_s": round(middle[side]["first_epoch_s"], 2),
            "next_epoch_s": round(middle[side]["next_epoch_s"], 2),
            "peak_mb": round(middle[side]["peak_bytes"] / 1e6),
            "over_control_mb": round((middle[side]["peak_bytes"] - control) / 1e6),
        }
        for side in SIDES
    }
    pairs = list(zip(runs["streamed"], runs["memory"], strict=True))
    ratios = {
        f"{key}_ratio": round(
            median(disk[f"{key}_s"] / memory[f"{key}_s"] for disk, memory in pairs), 3
        )
        for key in ("first_epoch", "next_epoch")
    }
    print_table(table)
    print(f"{sizes}, {ratios}")
    print(json.dumps({**sizes, **ratios, "sides": table}))


if __name__ == "__main__":
    main()
