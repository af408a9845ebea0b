"""Every benchmark of docs/speed.md, one after the other, each in a process of its own.

    make bench            (or: python benchmarks/all.py [--out speed.json] [--only peers,floor])

Prints what each script prints and writes the JSON line of each to one file. Some twenty-five
minutes on two cores; leave the machine alone meanwhile.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS: dict[str, list[str]] = {
    "startup": ["startup.py"],
    "exact_auc": ["exact_auc.py"],
    "peers": ["peers.py"],
    "peers_1024": ["peers.py", "--batch", "1024", "--rows", "100000"],
    "shared_machine": ["shared_machine.py"],
    "floor": ["floor.py"],
    "table_growth": ["table_growth.py"],
    "rowwise_adam": ["rowwise_adam.py"],
    "plain_evi": ["plain_evi.py", "--rows", "80000"],
    "methods": ["methods.py", "--rows", "200000", "--rounds", "2", "--evi-rows", "0"],
    "backbones": ["backbones.py"],
    "backbone_quality": ["backbone_quality.py", "--rows", "20000", "--seeds", "3"],
    "prepare": ["prepare.py"],
    "streaming": ["streaming.py", "--rows", "1000000"],
    "quality": ["quality.py"],
    "workers": ["workers.py", "--rows", "100000"],
    "scaling": ["scaling.py", "--rows", "100000", "--rounds", "2"],
}


def run(command: list[str]) -> dict[str, object]:
    """The JSON line of a script; its table goes to the terminal."""
    print(f"\n$ python benchmarks/{' '.join(command)}", flush=True)
    began = time.perf_counter()
    result = subprocess.run(
        [sys.executable, str(HERE / command[0]), *command[1:]],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    *table, last = result.stdout.splitlines() or [""]
    print("\n".join(table), flush=True)
    seconds = round(time.perf_counter() - began, 1)
    if result.returncode:
        return {"command": command, "seconds": seconds, "failed": result.returncode}
    return {"command": command, "seconds": seconds, **json.loads(last)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("speed.json"))
    parser.add_argument("--only", default=",".join(SCRIPTS), help="names, comma-separated")
    given = parser.parse_args()
    names = given.only.split(",")
    unknown = [name for name in names if name not in SCRIPTS]
    if unknown:
        parser.error(f"no benchmark is called {unknown[0]}: choose from {', '.join(SCRIPTS)}")
    found: dict[str, object] = {"machine": platform.processor() or platform.machine()}
    for name in names:
        found[name] = run(SCRIPTS[name])
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"\n{given.out}")


if __name__ == "__main__":
    main()
