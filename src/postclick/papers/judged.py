"""One run of an arm, with all that a measure may look at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from postclick.experiments.comparison.plan import Arm
from postclick.experiments.comparison.results import Comparison
from postclick.judging.labels import SplitLabels
from postclick.runs.run import Run

SPLIT = "test"


@dataclass(frozen=True)
class Measurement:
    """A value, or the reason why there is none."""

    value: float | None
    undefined: str | None = None


@dataclass(frozen=True)
class JudgedRun:
    """A finished run of a comparison, judged on the test split.

    Attributes:
        arm, seed: which run.
        folder: where it is.
        metrics: (metric, space) -> what `compare` measured.
        labels: clicks, conversions and truth of the test split, the same for all runs.
    """

    arm: str
    seed: int
    folder: Path
    metrics: Mapping[tuple[str, str], Measurement]
    labels: SplitLabels

    def logits(self) -> pl.DataFrame:
        """What the run predicts for each row; read anew each time, as it may be large."""
        return Run(self.folder).predictions(SPLIT)

    def probability(self, column: str) -> NDArray[np.float64] | None:
        """A column of logits as probabilities; None if the method does not predict it."""
        frame = self.logits()
        if column not in frame.columns:
            return None
        found: NDArray[np.float64] = expit(frame[column].to_numpy().astype(np.float64))
        return found


def judged_runs(
    comparison: Comparison, arms: Sequence[Arm], labels: SplitLabels
) -> Iterator[JudgedRun]:
    """The runs of a comparison, arm by arm."""
    results = comparison.results.filter(pl.col("protocol") == "fixed")
    seeds = sorted(results["seed"].unique().to_list())
    for arm in arms:
        mine = results.filter(pl.col("method") == arm.label)
        for seed in seeds:
            rows = mine.filter(pl.col("seed") == seed)
            metrics = {
                (row["metric"], row["space"]): Measurement(row["value"], row["undefined"])
                for row in rows.iter_rows(named=True)
            }
            folder = comparison.folder / "runs" / arm.folder / f"seed-{seed}"
            yield JudgedRun(arm.label, seed, folder, metrics, labels)
