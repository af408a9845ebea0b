"""Methods on fresh draws of simulated worlds, paired by draw: who is better than whom, and by what.

    python benchmarks/answer.py --out FOLDER [--worlds confounded,hidden] [--draws 5] [--first 0]
        [--methods naive click_prior,folds=3] [--against naive] [--rows 60000] [--workers 2]

Each draw is a new world of that name, users, items and labels included, with click and conversion
rates of .1 (the sparse world: its own). All methods have their defaults and one thread. True AUC,
NLL and bias of pCVR are over all impressions of the test split; gains over the method `against` are
means over draws with standard errors, p of a paired t-test over draws, Holm-corrected over worlds.
Finished runs are kept in FOLDER/results.jsonl: an interrupted command goes on where it was.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from fresh_draws import Draw, Record, draw_of, measured, print_markdown, with_error

WORLDS = ("confounded", "adverse", "hidden", "independent", "position", "shift", "sparse")
# A world whose conversions are rare by what it is, with rows enough for some.
OWN_RATES = {"sparse": 150_000}


def draw(world: str, number: int, rows: int) -> Draw:
    """One log, with rates of .1 so that differences show on few rows."""
    if world in OWN_RATES:
        return draw_of(world, number, rows=OWN_RATES[world])
    return draw_of(world, number, rows=rows, ctr=0.1, cvr=0.1)


def numbers(arguments: argparse.Namespace) -> range:
    """The numbers of the draws."""
    return range(arguments.first, arguments.first + arguments.draws)


def table(
    found: dict[tuple[str, str], Record], arguments: argparse.Namespace
) -> Iterator[dict[str, str]]:
    """A row for each world and method."""
    from postclick.stats.paired import holm, paired_test

    for method in arguments.methods:
        rows, p = [], []
        for world in arguments.worlds:
            keys = [draw(world, n, arguments.rows).key for n in numbers(arguments)]
            mine = [found[key, method] for key in keys]
            other = [found[key, arguments.against] for key in keys]
            gain = [a["auc"] - b["auc"] for a, b in zip(mine, other, strict=True)]
            nll = [1e4 * (a["nll"] - b["nll"]) for a, b in zip(mine, other, strict=True)]
            test = paired_test([r["auc"] for r in mine], [r["auc"] for r in other])
            p.append(1.0 if test.p is None else test.p)
            rows.append(
                {
                    "world": world,
                    "method": method,
                    "true AUC": f"{fmean(r['auc'] for r in mine):.4f}",
                    "gain": with_error(gain, ".4f"),
                    "wins": f"{sum(g > 0 for g in gain)} of {len(gain)}",
                    "NLL x 1e4": with_error(nll, ".0f"),
                    "bias %": f"{100 * fmean(r['bias'] for r in mine):+.0f}",
                    "CTR-AUC": f"{fmean(r['ctr_auc'] for r in mine):.4f}",
                    "CPU s": f"{fmean(r['seconds'] for r in mine):.1f}",
                }
            )
        for row, corrected in zip(rows, holm(p), strict=True):
            yield {**row, "p": "" if method == arguments.against else f"{corrected:.3f}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--worlds", type=lambda text: text.split(","), default=list(WORLDS))
    parser.add_argument("--methods", nargs="+", default=["naive", "click_prior"])
    parser.add_argument("--against", default="naive")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    if given.against not in given.methods:
        parser.error(f"--against {given.against} is none of --methods")
    draws = [draw(world, n, given.rows) for world in given.worlds for n in numbers(given)]
    found = measured(given.out, draws, given.methods, given.workers)
    print_markdown(list(table(found, given)))


if __name__ == "__main__":
    main()
