"""Do the fast ways of training learn as well? Test AUCs of lazy, exact and bfloat16 training.

    python benchmarks/quality.py [--rows 400000] [--seeds 3] [--logs b confounded]

ESMM, two passes at batch 4096 with the same coupled decay of all weights, on workload B and on the
simulated world `confounded`. A seed is the seed of the log as well as that of the weights: a round
generates both logs anew and trains every side on them. For each log and metric the table has each
side's mean over seeds, its mean difference to exact Adam, and the largest difference of one seed,
with its sign.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from statistics import fmean

import postclick
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from workload import ONE_PASS, print_table, train_run, write_workload

SIDES = {
    "exact_adam": ("optimizer=exact_adam",),
    "lazy_adam": ("optimizer=lazy_adam",),
    "lazy_adam bf16": ("optimizer=lazy_adam", "precision=bf16"),
}
REFERENCE = "exact_adam"
METRICS = ("ctr_auc", "cvr_auc", "ctcvr_auc")
# Both sides keep what they have after the last pass: no choice of epochs hides a difference.
SETTINGS = (*ONE_PASS, "epochs=2", "keep=last", "batch_size=4096")


def confounded(folder: Path, train: int, test: int, seed: int) -> PreparedLog:
    """The simulated world of that name, prepared."""
    rows = train + test
    raw = postclick.simulate("confounded", rows=rows, seed=seed, test_fraction=test / rows)
    splits = LogSplits(raw.schema, FrameSource(raw.train), FrameSource(raw.test))
    return postclick.prepare(splits, folder)


LOGS = {"b": write_workload, "confounded": confounded}


def aucs(log: PreparedLog, out: Path, sets: tuple[str, ...], seed: int) -> dict[str, float]:
    """Test AUCs of one run."""
    judged = train_run(log, out, "esmm", *SETTINGS, *sets, seed=seed).evaluate(log, "test")
    found = {metric: judged.value(metric) for metric in METRICS}
    missing = [metric for metric, value in found.items() if value is None]
    if missing:
        raise SystemExit(f"{missing[0]} is undefined on the test split: give more --rows")
    return {metric: value for metric, value in found.items() if value is not None}


def row_of(values: list[float], reference: list[float]) -> dict[str, float]:
    differences = [mine - base for mine, base in zip(values, reference, strict=True)]
    return {
        "mean": round(fmean(values), 5),
        "difference": round(fmean(differences), 5),
        "largest": round(max(differences, key=abs), 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Equal quality of the ways of training.")
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--seeds", "--rounds", type=int, default=3)
    parser.add_argument("--logs", nargs="+", choices=LOGS, default=list(LOGS))
    arguments = parser.parse_args()
    found: dict[tuple[str, str], list[dict[str, float]]] = {
        (log, side): [] for log in arguments.logs for side in SIDES
    }
    for seed in range(arguments.seeds):
        for name in arguments.logs:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                log = LOGS[name](folder / "log", arguments.rows, arguments.rows // 2, seed)
                for side, sets in SIDES.items():
                    found[name, side].append(aucs(log, folder / "run", sets, seed))
                    shutil.rmtree(folder / "run")
    table = {
        f"{name} {metric} {side}": row_of(
            [run[metric] for run in found[name, side]],
            [run[metric] for run in found[name, REFERENCE]],
        )
        for name in arguments.logs
        for metric in METRICS
        for side in SIDES
    }
    print_table(table)
    figures = {"rows": arguments.rows, "seeds": arguments.seeds, "reference": REFERENCE}
    print(json.dumps({**figures, "results": table}))


if __name__ == "__main__":
    main()
