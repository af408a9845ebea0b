"""Which method for how many conversions: gain in true AUC over `naive`, by training conversions.

    python benchmarks/learning_curve.py --out FOLDER [--worlds independent,confounded,interactions]
        [--conversions 100 1000 10000 100000] [--methods naive click_prior] [--draws 5]
        [--plot curve.svg] [--workers 2]

Logs have click and conversion rates of .2, so that N conversions come from 25 N training rows, and
a test split of at least 40,000 rows. Methods have their defaults. Finished runs are kept.
"""

import argparse
from pathlib import Path
from statistics import fmean, stdev

from fresh_draws import Draw, Record, draw_of, measured, print_markdown, with_error
from line_plot import Series, write_svg

RATE, TEST_ROWS = 0.2, 40_000


def draw(world: str, number: int, conversions: int) -> Draw:
    train = conversions / RATE**2
    share = max(0.25, TEST_ROWS / (TEST_ROWS + train))
    return draw_of(
        world, number, conversions=conversions, ctr=RATE, cvr=RATE, test_fraction=round(share, 3)
    )


def gains(
    found: dict[tuple[str, str], Record], given: argparse.Namespace, world: str, n: int, method: str
) -> list[float]:
    """Of true AUC over the first method, by draw."""
    keys = [draw(world, k, n).key for k in range(given.draws)]
    first = given.methods[0]
    return [found[key, method]["auc"] - found[key, first]["auc"] for key in keys]


def rows_of(
    found: dict[tuple[str, str], Record], given: argparse.Namespace
) -> list[dict[str, str]]:
    rows = []
    for world in given.worlds:
        for n in given.conversions:
            keys = [draw(world, k, n).key for k in range(given.draws)]
            row = {"world": world, "conversions": f"{n:,}"}
            first = given.methods[0]
            row[f"{first}, true AUC"] = f"{fmean(found[k, first]['auc'] for k in keys):.4f}"
            for method in given.methods[1:]:
                row[f"{method}, gain"] = with_error(gains(found, given, world, n, method), ".4f")
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    worlds = ["independent", "confounded", "interactions"]
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--worlds", type=lambda text: text.split(","), default=worlds)
    parser.add_argument("--conversions", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--methods", nargs="+", default=["naive", "click_prior"])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    draws = [
        draw(world, k, n)
        for n in given.conversions
        for world in given.worlds
        for k in range(given.draws)
    ]
    found = measured(given.out, draws, given.methods, given.workers)
    print_markdown(rows_of(found, given))
    if given.plot:
        series = []
        for world in given.worlds:
            for method in given.methods[1:]:
                by_size = [gains(found, given, world, n, method) for n in given.conversions]
                means = [fmean(one) for one in by_size]
                errors = [2 * stdev(one) / len(one) ** 0.5 if len(one) > 1 else 0.0
                          for one in by_size]  # fmt: skip
                series.append(Series(f"{method}, {world}", given.conversions, means, errors))
        write_svg(given.plot, series, "training conversions", f"gain over {given.methods[0]}")


if __name__ == "__main__":
    main()
