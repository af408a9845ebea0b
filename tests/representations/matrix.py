"""Prints how pairs of formats went: `PYTHONPATH=src:tests python -m representations.matrix 100`."""

import sys
import tempfile
from pathlib import Path

from representations.formats import FORMATS
from representations.pairs import Different, Tally, try_log


def table(tally: Tally) -> str:
    """Markdown: for each pair how often it was tried, equal and refused."""
    names = list(FORMATS)
    from_ = [name for name in names if any(a == name for a, _ in tally.tried)]
    lines = ["| prepared from \\ scored from | " + " | ".join(names) + " |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for a in from_:
        cells = []
        for b in names:
            counts = tally.tried[a, b], tally.equal[a, b], tally.refused[a, b]
            cells.append(f"{counts[0]} / {counts[1]} / {counts[2]}")
        lines.append(f"| {a} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(logs: int, first: int = 0) -> int:
    tally, different = Tally(), []
    for seed in range(first, first + logs):
        with tempfile.TemporaryDirectory() as folder:
            try:
                tally.add(try_log(seed, Path(folder)))
            except Different as error:
                different.append(str(error))
    print("tried / equal / refused\n")
    print(table(tally))
    totals = [sum(c.values()) for c in (tally.tried, tally.equal, tally.refused)]
    print(
        f"\n{tally.logs:,} logs, seeds {first} to {first + logs - 1}: {totals[0]:,} pairs tried, "
    )
    print(f"{totals[1]:,} equal, {totals[2]:,} refused, {len(different):,} logs read differently")
    print(f"{len(tally.columns):,} ways to write a kind of column were met")
    for reason, count in tally.reasons.most_common():
        print(f"  refused {count:,} times: {reason}")
    for message in different[:20]:
        print(f"DIFFERENT: {message}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:] or ["100"])))
