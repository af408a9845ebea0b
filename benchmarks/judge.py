"""`postclick judge` beside scikit-learn: three models, groups, two segments.

    python benchmarks/judge.py [--rows 1000000 10000000] [--skip-sklearn]

Each part runs in a process of its own, so that its peak memory is its own; ratios are of one run.
scikit-learn computes the same point figures from the same arrays: AUC and NLL of pCTR, pCTCVR and
pCVR, and numpy the PCOC. postclick adds GAUC, intervals over groups, differences and segments.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from peak_memory import peak_megabytes

MODELS = ("a", "b", "c")


def make(rows: int, path: Path) -> None:
    """A log of `rows` impressions with predictions of three models."""
    rng = np.random.default_rng(0)
    users = rows // 10 + 1
    user = rng.integers(0, users, rows)
    z = rng.normal(-2.5, 1, rows) + rng.normal(0, 0.5, users)[user]
    y = rng.normal(-2, 1, rows)
    click = rng.random(rows) < 1 / (1 + np.exp(-z))
    columns = {
        "user": user,
        "shop": rng.choice(np.array(list("abcdefghij")), rows),
        "price": rng.lognormal(2, 1, rows).astype(np.float32),
        "click": click.astype(np.int8),
        "conversion": (click & (rng.random(rows) < 1 / (1 + np.exp(-y)))).astype(np.int8),
    }
    for k, model in enumerate(MODELS):
        for name, logit in (("pctr", z), ("pcvr", y)):
            noisy = logit + rng.normal(0, 0.3 * (k + 1), rows)
            columns[f"{name}_{model}"] = (1 / (1 + np.exp(-noisy))).astype(np.float32)
    pl.DataFrame(columns).write_parquet(path)


def by_postclick(path: str) -> dict[str, float]:
    """What `postclick judge` says."""
    from postclick import judge

    found = judge(path, group="user", by=["shop", "price"])
    return {f"{f.metric} {f.model}": f.value for f in found.figures if f.value is not None}


def by_sklearn(path: str) -> dict[str, float]:
    """The same point figures."""
    from sklearn.metrics import log_loss, roc_auc_score

    frame = pl.read_parquet(path)
    click, conversion = (frame[name].to_numpy() for name in ("click", "conversion"))
    clicked = click == 1
    found = {}
    for model in MODELS:
        pctr = frame[f"pctr_{model}"].to_numpy()
        pcvr = frame[f"pcvr_{model}"].to_numpy()
        product = pctr.astype(np.float64) * pcvr
        for name, label, p in (
            ("ctr", click, pctr),
            ("ctcvr", conversion, product),
            ("cvr", conversion[clicked], pcvr[clicked]),
        ):
            found[f"{name}_auc {model}"] = roc_auc_score(label, p)
            found[f"{name}_nll {model}"] = log_loss(label, p.astype(np.float64))
            found[f"{name}_pcoc {model}"] = p.sum(dtype=np.float64) / label.sum()
    return found


PARTS = {"postclick": by_postclick, "scikit-learn": by_sklearn}


def measured(part: str, path: Path) -> dict:
    """One part in a process of its own."""
    command = [sys.executable, __file__, "--part", part, "--path", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_part(part: str, path: str) -> None:
    """Print the figures, and what they took."""
    began = time.perf_counter()
    found = PARTS[part](path)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "figures": found,
        "seconds": time.perf_counter() - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_mb": peak_megabytes(),
    }
    print(json.dumps(told))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--part")
    parser.add_argument("--path")
    parser.add_argument("--skip-sklearn", action="store_true")
    given = parser.parse_args()
    if given.part:
        return run_part(given.part, given.path)
    print("| rows | what | seconds | CPU seconds | peak MB |")
    print("|---|---|---|---|---|")
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log.parquet"
            make(rows, path)
            told = {}
            for part in PARTS:
                if part == "postclick" or not given.skip_sklearn:
                    told[part] = measured(part, path)
                    one = told[part]
                    print(
                        f"| {rows:,} | {part} | {one['seconds']:.1f} | {one['cpu']:.1f} | "
                        f"{one['peak_mb']:,.0f} |",
                        flush=True,
                    )
        if len(told) == 2:
            ours, theirs = told["postclick"]["figures"], told["scikit-learn"]["figures"]
            apart = max(abs(ours[name] - value) for name, value in theirs.items())
            ratio = told["scikit-learn"]["seconds"] / told["postclick"]["seconds"]
            print(
                f"\n{rows:,} rows: scikit-learn takes {ratio:.2f} times as long; largest "
                f"difference of a figure {apart:.1e}\n"
            )
    return None


if __name__ == "__main__":
    main()
