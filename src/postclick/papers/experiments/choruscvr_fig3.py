"""ChorusCVR, Fig. 3: estimated and actual CVR by pCTR."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from postclick.experiments.comparison.plan import Arm
from postclick.metrics.buckets import Bucket, by_bucket
from postclick.papers.claims import above, chain
from postclick.papers.experiment import Column, Entry, Experiment
from postclick.papers.judged import JudgedRun
from postclick.papers.measures import (
    low_pctr_pcoc,
    low_pctr_true_ratio,
    pctr_and_pcvr,
)
from postclick.papers.panels import Panel, Series
from postclick.papers.papers import CHORUSCVR
from postclick.papers.results import Results, Scale

BUCKETS, LOW = 10, 5
TITLES = {"dcmt": "DCMT", "choruscvr": "ChorusCVR"}
# What the rows of a run are sorted by.
Key = Callable[[JudgedRun], NDArray[np.floating]]


def panels(results: Results, runs: Sequence[JudgedRun]) -> tuple[Panel, ...]:
    """Both curves of each model by its own pCTR and by one that they share, then PCOC."""
    shared = _shared_pctr(runs)

    def own(run: JudgedRun) -> NDArray[np.floating]:
        return pctr_and_pcvr(run)[0]

    def common(run: JudgedRun) -> NDArray[np.floating]:
        return shared[run.seed]

    curves: list[Panel] = []
    ratios: list[Panel] = []
    for name, key in (("its own pCTR", own), ("the mean pCTR of both", common)):
        clicked = {arm: _curves(runs, arm, key, truth=False) for arm in TITLES}
        curves += [_two_curves(arm, name, "actual CVR", found) for arm, found in clicked.items()]
        pcoc = tuple(
            _series(TITLES[arm], found, lambda bucket: bucket.pcoc)
            for arm, found in clicked.items()
        )
        title = f"PCOC by {name}, clicked rows"
        ratios.append(Panel(title, "pCTR bucket (1 lowest)", "PCOC", "line", pcoc))
    if "true_cvr" in runs[0].labels.truth:
        for arm in TITLES:
            found = _curves(runs, arm, own, truth=True)
            ratios.append(_two_curves(arm, "its own pCTR", "true CVR", found))
    return (*curves, *ratios)


def _shared_pctr(runs: Sequence[JudgedRun]) -> dict[int, NDArray[np.float32]]:
    """Mean logit of the models' pCTR, by seed: an order of the rows that favours neither."""
    shared: dict[int, NDArray[np.float32]] = {}
    for run in runs:
        part = (run.logits()["ctr_logit"].to_numpy() / len(TITLES)).astype(np.float32)
        shared[run.seed] = shared[run.seed] + part if run.seed in shared else part
    return shared


def _curves(
    runs: Sequence[JudgedRun], arm: str, key: Key, *, truth: bool
) -> list[tuple[Bucket, ...]]:
    """Buckets by seed: of clicked rows with recorded conversions, or of all rows with true CVR."""
    found = []
    for run in (run for run in runs if run.arm == arm):
        label = run.labels.truth["true_cvr"] if truth else run.labels.conversion
        rows = np.isfinite(label) if truth else run.labels.click
        found.append(by_bucket(key(run)[rows], pctr_and_pcvr(run)[1][rows], label[rows], BUCKETS))
    return found


def _two_curves(arm: str, key: str, actual: str, by_seed: list[tuple[Bucket, ...]]) -> Panel:
    rows = "clicked rows" if actual == "actual CVR" else "all impressions"
    return Panel(
        f"{TITLES[arm]}: estimated and {actual} by {key}, {rows}",
        "pCTR bucket (1 lowest)",
        "CVR",
        "line",
        (
            _series("estimated pCVR", by_seed, lambda bucket: bucket.predicted),
            _series(actual, by_seed, lambda bucket: bucket.observed),
        ),
    )


def _series(
    name: str, by_seed: list[tuple[Bucket, ...]], value: Callable[[Bucket], float | None]
) -> Series:
    x = range(1, max(map(len, by_seed)) + 1)
    return Series.over_seeds(name, x, [[value(bucket) for bucket in seed] for seed in by_seed])


EXPERIMENT = Experiment(
    name="choruscvr-fig3",
    paper=CHORUSCVR,
    where="Figure 3",
    what="estimated pCVR and actual CVR by pCTR bucket, low pCTR standing in for unclicked rows",
    head="Models",
    entries=tuple(Entry(title, Arm(m, m)) for m, title in TITLES.items()),
    columns=(
        Column(
            "low_pcoc",
            "PCOC, fifth of clicked rows with lowest own pCTR",
            low_pctr_pcoc(LOW),
            Scale(target=1.0),
        ),
        Column(
            "low_true",
            "mean pCVR / mean true CVR, fifth of all impressions with lowest own pCTR",
            low_pctr_true_ratio(LOW),
            Scale(target=1.0),
        ),
    ),
    claims=(
        above("DCMT overestimates CVR on clicked rows of low pCTR", "low_pcoc", "dcmt", 1.0),
        chain(
            "ChorusCVR is closer to the actual CVR there than DCMT",
            "low_pcoc",
            "choruscvr",
            "dcmt",
        ),
        above("DCMT overestimates the true CVR on impressions of low pCTR", "low_true", "dcmt", 1),
        chain(
            "ChorusCVR is closer to the true CVR there than DCMT", "low_true", "choruscvr", "dcmt"
        ),
    ),
    notes=(
        "The paper gives the figure without numbers, and its text says 'pCVR' where the argument "
        "needs pCTR: buckets are of pCTR, ten of equal size, 1 the lowest.",
        "Own buckets hold other rows for each model; by the mean pCTR (of the logits, models of "
        "the same seed) both curves are of the same rows.",
        "'Low pCTR' is the lowest fifth in the claims; the paper sets no bound.",
    ),
    panels=panels,
)
