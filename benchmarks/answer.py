"""Methods on fresh draws of simulated worlds, paired by draw: who is better than whom, and by what.

    python benchmarks/answer.py --out FOLDER [--worlds confounded,hidden] [--draws 5]
        [--methods naive,click_prior] [--against naive] [--rows 60000] [--workers 2]

Each draw is a new world of that name, users, items and labels included, with click and conversion
rates of .1 (the sparse world: its own). All methods have their defaults and one thread. True AUC,
NLL and bias of pCVR over all impressions of the test split; gains over the method `against` are
means over draws with standard errors, p of a paired t-test over draws, Holm-corrected over worlds.
Finished runs are kept in FOLDER/results.jsonl: an interrupted command goes on where it was.
"""

import argparse
import json
import multiprocessing
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

WORLDS = ("confounded", "adverse", "hidden", "independent", "position", "shift", "sparse")
# A world whose conversions are rare by what it is, with rows enough for some.
OWN_RATES = {"sparse": 150_000}
FIRST_SEED = 100
Record = dict[str, Any]


def job(out: Path, world: str, draw: int, rows: int, methods: list[str]) -> list[Record]:
    """Train and judge methods on one draw of a world."""
    from postclick import train
    from postclick.data.prepared import PreparedLog
    from postclick.data.write.prepare import prepare
    from postclick.datasets.opening import open_splits
    from postclick.datasets.simulated import write_simulated
    from postclick.methods import find_method
    from postclick.runs.settings import RunSettings, read_by

    folder = out / f"{world}-{draw}"
    shutil.rmtree(folder, ignore_errors=True)
    rates = {"rows": OWN_RATES[world]} if world in OWN_RATES else {
        "rows": rows, "ctr": 0.1, "cvr": 0.1
    }  # fmt: skip
    write_simulated(folder / "log", world, seed=FIRST_SEED + draw, **rates)
    splits = open_splits(
        folder / "log" / "schema.yaml",
        folder / "log" / "train.parquet",
        test=folder / "log" / "test.parquet",
    )
    log: PreparedLog = prepare(splits, folder / "data")
    found = []
    for method in methods:
        name, *options = method.split(",")
        settings = RunSettings.make(
            name,
            overrides=[*read_by(find_method(name)[0], ["training.threads=1"]), *options],
            seed=draw,
        )
        began = time.process_time()
        run = train(log, settings, folder / f"run-{len(found)}")
        seconds = time.process_time() - began
        judged = run.evaluate(log)
        found.append(
            {
                "world": world,
                "draw": draw,
                "rows": rows,
                "method": method,
                "auc": judged.value("true_cvr_auc", "entire"),
                "nll": judged.value("true_cvr_nll", "entire"),
                "bias": judged.value("cvr_relative_bias", "entire"),
                "cvr_auc": judged.value("cvr_auc"),
                "ctr_auc": judged.value("ctr_auc"),
                "conversions": log.split("train").conversions,
                "seconds": seconds,
            }
        )
    shutil.rmtree(folder)
    return found


def measured(out: Path, arguments: argparse.Namespace) -> list[Record]:
    """All results, those of before among them."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "results.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(r["world"], r["draw"], r["rows"], r["method"]) for r in found}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.workers, mp_context=context) as pool:
        waiting = []
        for world in arguments.worlds:
            for draw in range(arguments.draws):
                key = world, draw, arguments.rows
                left = [m for m in arguments.methods if (*key, m) not in done]
                if left:
                    waiting.append(pool.submit(job, out, *key, left))
        for one in as_completed(waiting):
            records = one.result()
            with path.open("a") as file:
                file.writelines(json.dumps(record) + "\n" for record in records)
            found += records
            print(f"{records[0]['world']} {records[0]['draw']} done", flush=True)
    return [r for r in found if r["rows"] == arguments.rows]


def table(results: list[Record], arguments: argparse.Namespace) -> Iterator[Record]:
    """A row for each world and method."""
    from postclick.stats.paired import holm, paired_test

    by = {(r["world"], r["method"], r["draw"]): r for r in results}
    draws = range(arguments.draws)
    for method in arguments.methods:
        rows, p = [], []
        for world in arguments.worlds:
            mine = [by[world, method, d] for d in draws]
            other = [by[world, arguments.against, d] for d in draws]
            gain = [a["auc"] - b["auc"] for a, b in zip(mine, other, strict=True)]
            nll = [1e4 * (a["nll"] - b["nll"]) for a, b in zip(mine, other, strict=True)]
            test = paired_test([r["auc"] for r in mine], [r["auc"] for r in other])
            p.append(1.0 if test.p is None else test.p)
            rows.append(
                {
                    "world": world,
                    "method": method,
                    "true AUC": f"{fmean(r['auc'] for r in mine):.4f}",
                    "gain": _with_error(gain, ".4f"),
                    "wins": f"{sum(g > 0 for g in gain)} of {len(gain)}",
                    "NLL x 1e4": _with_error(nll, ".0f"),
                    "bias %": f"{100 * fmean(r['bias'] for r in mine):+.0f}",
                    "CTR-AUC": f"{fmean(r['ctr_auc'] for r in mine):.4f}",
                    "CPU s": f"{fmean(r['seconds'] for r in mine):.1f}",
                }
            )
        for row, corrected in zip(rows, holm(p), strict=True):
            yield {**row, "p": "" if method == arguments.against else f"{corrected:.3f}"}


def _with_error(values: list[float], form: str) -> str:
    """Mean and standard error."""
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{fmean(values):+{form}} ±{error:{form}}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--worlds", type=lambda text: text.split(","), default=list(WORLDS))
    parser.add_argument("--methods", nargs="+", default=["naive", "click_prior"])
    parser.add_argument("--against", default="naive")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    rows = list(table(measured(arguments.out, arguments), arguments))
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(row.values()) + " |")


if __name__ == "__main__":
    main()
