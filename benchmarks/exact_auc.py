"""The exact AUC of ten million scores, beside scikit-learn's.

    python benchmarks/exact_auc.py [--rows 10000000] [--rounds 5]

Scores are float32, 4 % of the rows positive, and a tenth of the scores rounded to two decimals so
that they tie. Both get the same arrays in turn; the ratio is the median over rounds of
scikit-learn's time over postclick's. Ends with an error if the values differ by more than 1e-12.
"""

import argparse
import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from postclick.metrics.auc import auc
from workload import print_table

POSITIVES, TIED, TOLERANCE = 0.04, 0.1, 1e-12


def scores_and_labels(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores [rows] of a model that knows something, and labels [rows] of 0 and 1."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < POSITIVES).astype(np.float32)
    scores = rng.standard_normal(rows, dtype=np.float32) + labels
    tied = rng.random(rows) < TIED
    scores[tied] = scores[tied].round(2)
    return scores, labels


def timed(function: Callable[[], Any]) -> tuple[float, float]:
    """Seconds, and what came out."""
    began = time.perf_counter()
    value = float(function())
    return time.perf_counter() - began, value


def main() -> None:
    parser = argparse.ArgumentParser(description="Exact AUC beside scikit-learn's.")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    scores, labels = scores_and_labels(arguments.rows)
    sides: dict[str, Callable[[], Any]] = {
        "postclick": lambda: auc(scores, labels),
        "scikit-learn": lambda: roc_auc_score(labels, scores),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(arguments.rounds):
        for name, side in sides.items():
            found[name].append(timed(side))
    pairs = list(zip(found["postclick"], found["scikit-learn"], strict=True))
    ratio = median(theirs / ours for (ours, _), (theirs, _) in pairs)
    difference = max(abs(ours - theirs) for (_, ours), (_, theirs) in pairs)
    table = {
        name: {"seconds": round(median(s for s, _ in runs), 4), "value": f"{runs[0][1]:.12f}"}
        for name, runs in found.items()
    }
    print_table(table)
    print(f"ratio {ratio:.2f}, values differ by {difference:.1e}")
    figures = {"rows": arguments.rows, "ratio": round(ratio, 2), "difference": difference}
    print(json.dumps({**figures, "sides": table}))
    if difference > TOLERANCE:
        raise SystemExit(f"the values differ by {difference:.1e}")


if __name__ == "__main__":
    main()
