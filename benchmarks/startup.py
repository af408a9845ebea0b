"""How long the command line takes to answer, beside a bare interpreter.

    python benchmarks/startup.py [--rounds 15]

Times child processes: `postclick --help`, `postclick methods` (which has to know all methods),
`import postclick`, and `python -c pass`. They take turns; figures are medians over rounds.
"""

import argparse
import json
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from statistics import median

from workload import print_table

SCRIPT = Path(sysconfig.get_path("scripts")) / "postclick"
BARE = "python -c pass"
COMMANDS = {
    BARE: [sys.executable, "-c", "pass"],
    "import postclick": [sys.executable, "-c", "import postclick"],
    "postclick --help": [str(SCRIPT), "--help"],
    "postclick methods": [str(SCRIPT), "methods"],
}


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description="Start-up of the command line.")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    if not SCRIPT.exists():
        parser.error(f"no {SCRIPT.name} beside this interpreter: install postclick first")
    for command in COMMANDS.values():
        seconds(command)  # files into the system's cache
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(arguments.rounds):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    table = {
        name: {
            "seconds": round(median(times), 3),
            "over_bare_s": round(
                median(t - bare for t, bare in zip(times, taken[BARE], strict=True)), 3
            ),
        }
        for name, times in taken.items()
    }
    print_table(table)
    print(json.dumps({"rounds": arguments.rounds, "commands": table}))


if __name__ == "__main__":
    main()
