"""Training settings on fresh logs by size, judged on validation rows: where the defaults come from.

    python benchmarks/defaults.py --out FOLDER --rows 60000 [--worlds confounded,independent]
        [--methods naive,esmm] [--draws 2] [--seeds 3] [--settings "" "schedule=linear,lr=2e-3"]

Draws have seeds that no table of the docs uses, and test rows are not read. Of each setting (the
first is what the others are compared with): true AUC and NLL of pCVR over all validation
impressions, recorded NLL on clicks, CTR-AUC, and the standard deviation over seeds of the
relative bias of pCVR, means over methods, worlds and draws. Finished runs are kept in FOLDER.
"""

import argparse
import itertools
import shutil
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from fresh_draws import (
    Record,
    apart,
    draw_of,
    drawn_log,
    in_parallel,
    kept_records,
    print_markdown,
    with_error,
)

# Far from those of the tables.
FIRST_DRAW = 8900


def judged(
    folder: Path, world: str, draw: int, rows: int, method: str, settings: list[str], seeds: int
) -> list[Record]:
    """A method with every setting on one draw; the runs go, the figures stay."""
    from postclick import train
    from postclick.runs.settings import RunSettings

    log = drawn_log(folder, draw_of(world, FIRST_DRAW + draw, rows=rows, ctr=0.1, cvr=0.1))
    found = []
    for setting, seed in itertools.product(settings, range(seeds)):
        first, more = apart(setting)
        overrides = ["threads=1", "keep=last", "patience=null", *([first] if first else []), *more]
        made = RunSettings.make(method, overrides=overrides, seed=seed)
        run = train(log, made, folder / "run")
        figures = run.evaluate(log, split="valid")
        shutil.rmtree(folder / "run")
        found.append(
            {
                "world": world,
                "draw": draw,
                "rows": rows,
                "seed": seed,
                "method": method,
                "setting": setting,
                "auc": figures.value("true_cvr_auc", "entire"),
                "nll": figures.value("true_cvr_nll", "entire"),
                "bias": figures.value("cvr_relative_bias", "entire"),
                "clicked_nll": figures.value("cvr_nll"),
                "ctr_auc": figures.value("ctr_auc"),
            }
        )
    shutil.rmtree(folder)
    return found


def _key(record: Record) -> tuple[Any, ...]:
    return tuple(record[name] for name in ("world", "draw", "rows", "method", "setting", "seed"))


def table(found: dict[tuple[Any, ...], Record], given: argparse.Namespace) -> list[dict[str, str]]:
    cells = list(itertools.product(given.worlds, range(given.draws), given.methods))

    def seeds_of(cell: tuple[str, int, str], setting: str) -> list[Record]:
        world, draw, method = cell
        keys = [(world, draw, given.rows, method, setting, seed) for seed in range(given.seeds)]
        return [found[key] for key in keys]

    def mean(cell: tuple[str, int, str], setting: str, figure: str) -> float:
        return fmean(record[figure] for record in seeds_of(cell, setting))

    shown = []
    for setting in given.settings:
        change = {
            figure: [mean(c, setting, figure) - mean(c, given.settings[0], figure) for c in cells]
            for figure in ("auc", "nll", "clicked_nll", "ctr_auc")
        }
        spread = [stdev(r["bias"] for r in seeds_of(cell, setting)) for cell in cells]
        auc_spread = [stdev(r["auc"] for r in seeds_of(cell, setting)) for cell in cells]
        shown.append(
            {
                "settings": setting or "defaults",
                "true AUC": f"{fmean(mean(c, setting, 'auc') for c in cells):.4f}",
                "change": with_error(change["auc"], ".4f"),
                "true NLL x 1e4": with_error([1e4 * v for v in change["nll"]], ".0f"),
                "NLL on clicks x 1e4": with_error([1e4 * v for v in change["clicked_nll"]], ".0f"),
                "CTR-AUC": with_error(change["ctr_auc"], ".4f"),
                "sd of bias over seeds, %": f"{100 * fmean(spread):.1f}",
                "sd of AUC": f"{fmean(auc_spread):.4f}",
            }
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--worlds", type=lambda t: t.split(","), default=["confounded", "position"])
    parser.add_argument("--methods", type=lambda t: t.split(","), default=["naive", "esmm"])
    parser.add_argument("--settings", nargs="+", default=[""])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    found = {_key(record): record for record in kept_records(given.out)}
    calls = []
    for world, draw, method in itertools.product(given.worlds, range(given.draws), given.methods):
        left = [
            setting
            for setting in given.settings
            if any(
                (world, draw, given.rows, method, setting, seed) not in found
                for seed in range(given.seeds)
            )
        ]
        if left:
            folder = given.out / f"{world}-{draw}-{given.rows}-{method}"
            calls.append(
                partial(judged, folder, world, draw, given.rows, method, left, given.seeds)
            )
    for records in in_parallel(given.out, calls, given.workers):
        found |= {_key(record): record for record in records}
    print_markdown(table(found, given))


if __name__ == "__main__":
    main()
