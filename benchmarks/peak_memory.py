"""The most memory that this process has had, whatever the one that started it had."""

import resource
import sys
from pathlib import Path


def peak_megabytes() -> float:
    """The largest resident size of this process since it began to run its own program."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says there starts from the parent's size
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, else kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
