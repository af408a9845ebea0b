"""How often 95 % intervals hold the truth where rows of a user are alike: by rows and by group.

    python benchmarks/interval_coverage.py [--draws 1000] [--rows 3000]

Each draw is a test set of clicked rows of two models. A user has an effect on conversions, which
the models know in part, and each model has an error of its own with each user. The truth is that of
a population of 4 million rows, with a new user in each row. Intervals of AUC and of its difference
are DeLong's, those of PCOC and of the difference in NLL are percentiles of 200 resamples.
"""

import argparse
import json
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from postclick.logits import sigmoid
from postclick.metrics import auc
from postclick.metrics.likelihood import cross_entropy
from postclick.stats import (
    auc_difference,
    auc_interval,
    bootstrap_difference,
    bootstrap_intervals,
)

Array = NDArray[np.float64]
SIZES = (1, 5, 50)
FIGURES = ("AUC", "AUC difference", "NLL difference", "PCOC")
POPULATION = 4_000_000


def rows_of(
    rng: np.random.Generator, rows: int, size: int
) -> tuple[Array, Array, NDArray, NDArray]:
    """Logits of two models, conversions (about 10 %) and the number of each row's user."""
    user = np.arange(rows) // size
    users = int(user[-1]) + 1
    effect, error_a, error_b = (scale * rng.normal(size=users)[user] for scale in (1.0, 0.6, 0.6))
    feature = rng.normal(size=rows)
    conversion = rng.random(rows) < sigmoid(-2.9 + feature + effect)
    a = -2.7 + feature + 0.6 * effect + error_a
    b = -2.7 + 0.8 * feature + 0.5 * effect + error_b
    return a, b, conversion, user + 1


def truth() -> dict[str, float]:
    """The figures of the population; users do not matter to these."""
    a, b, conversion, _ = rows_of(np.random.default_rng(2026), POPULATION, 1)
    ranked = [auc(score, conversion) or 0.0 for score in (a, b)]
    likelihood = [float(cross_entropy(score, conversion).mean()) for score in (a, b)]
    pcoc = float(sigmoid(a).sum() / conversion.sum())
    return dict(
        zip(FIGURES, (ranked[0], ranked[0] - ranked[1], likelihood[0] - likelihood[1], pcoc),
            strict=True)
    )  # fmt: skip


def intervals(
    a: Array, b: Array, conversion: NDArray, group: NDArray | None, seed: int
) -> Iterator[tuple[str, float, float]]:
    """Figure, low, high; by group where there is one."""
    one, two = (
        auc_interval(a, conversion, group=group),
        auc_difference(a, b, conversion, group=group),
    )
    drawn = {"group": group, "by_group": group is not None, "resamples": 200, "seed": seed}
    nll = bootstrap_difference("nll", a, b, conversion, **drawn).difference
    (pcoc,) = bootstrap_intervals(["pcoc"], a, conversion, **drawn)
    for name, found in zip(FIGURES, (one, two, nll, pcoc), strict=True):
        yield name, found.low, found.high


def coverage(size: int, rows: int, draws: int, true: dict[str, float]) -> dict[str, dict]:
    """Share of intervals that hold the truth, by figure, by rows and by group."""
    held = {how: dict.fromkeys(FIGURES, 0) for how in ("rows", "group")}
    for draw in range(draws):
        a, b, conversion, user = rows_of(np.random.default_rng([draw, size]), rows, size)
        for how, group in (("rows", None), ("group", user)):
            for name, low, high in intervals(a, b, conversion, group, draw):
                held[how][name] += low <= true[name] <= high
    return {how: {name: n / draws for name, n in found.items()} for how, found in held.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=3000)
    given = parser.parse_args()
    began = time.process_time()
    true = truth()
    print("truth: " + ", ".join(f"{name} {value:.4f}" for name, value in true.items()))
    print(f"\n| rows of a user | intervals | {' | '.join(FIGURES)} |")
    print("|---:|---|" + "---:|" * len(FIGURES))
    found = {}
    for size in SIZES:
        found[size] = coverage(size, given.rows, given.draws, true)
        for how, shares in found[size].items():
            cells = " | ".join(f"{100 * shares[name]:.1f} %" for name in FIGURES)
            print(f"| {size} | by {how} | {cells} |", flush=True)
    seconds = round(time.process_time() - began, 1)
    print(json.dumps({"truth": true, "coverage": found, "cpu_seconds": seconds}))


if __name__ == "__main__":
    main()
