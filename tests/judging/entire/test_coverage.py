"""95 % intervals hold the truth in about 95 % of draws, also where rows of a unit are alike."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.entire_population import Floats, Log
from postclick.judging.entire import ESTIMATORS, METRICS, estimate_entire
from postclick.metrics.auc import weighted_auc

ALL = [(metric, estimator) for metric in METRICS for estimator in ESTIMATORS]
DRAWS, ROWS = 200, 4_000
GRID = np.linspace(-6.0, 6.0, 4_001)


def rates(x: Floats) -> tuple[Floats, Floats, Floats]:
    """CTR, CVR and pCVR of impressions; the last is wrong."""
    ctr, cvr, pcvr = (1 / (1 + np.exp(a - b * x)) for a, b in ((1.5, 0.7), (1.5, 1), (1.2, 0.7)))
    return ctr, cvr, pcvr


def truth(deviation: float) -> dict[str, float]:
    """Over normal x, by summing up a fine grid."""
    x = GRID * deviation
    mass = np.exp(-0.5 * np.square(GRID))
    mass /= mass.sum()
    _, cvr, pcvr = rates(x)
    loss = -cvr * np.log(pcvr) - (1 - cvr) * np.log(1 - pcvr)
    mean = float(mass @ cvr)
    return {"mean_cvr": mean, "pcoc": float(mass @ pcvr) / mean, "nll": float(mass @ loss)}


def drawn(seed: int, size: int) -> Log:
    """Groups of `size` rows that differ little from each other."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(ROWS // size), size)
    x = rng.normal(size=ROWS // size)[unit]
    if size > 1:
        x += 0.1 * rng.normal(size=ROWS)
    ctr, cvr, pcvr = rates(x)
    click = rng.random(ROWS) < ctr
    return Log(ctr, cvr, pcvr, click, click & (rng.random(ROWS) < cvr), unit, np.ones(ROWS))


@pytest.mark.parametrize(("size", "deviation"), [(1, 1.0), (20, np.sqrt(1.01))])
def test_intervals_hold_the_truth(size: int, deviation: float) -> None:
    of_world = truth(deviation)
    held = dict.fromkeys(ALL, 0)
    ignoring = 0
    for seed in range(DRAWS):
        log = drawn(seed, size)
        # The AUC of dr is of these very impressions.
        ranked = weighted_auc(log.pcvr, log.cvr, 1 - log.cvr)
        assert ranked is not None
        wanted = of_world | {"auc": ranked}
        found = estimate_entire(log.clicked(), log.everyone(), clip=0.01)
        for metric, estimator in ALL:
            one = found.get(metric, estimator)
            assert one.low is not None and one.high is not None
            held[metric, estimator] += one.low <= wanted[metric] <= one.high
        alone = replace(log, unit=np.arange(ROWS))
        one = estimate_entire(alone.clicked(), alone.everyone(), clip=0.01).get("mean_cvr", "dr")
        assert one.low is not None and one.high is not None
        ignoring += one.low <= wanted["mean_cvr"] <= one.high
    # 95 % of 200 draws, give or take three standard errors, and few units.
    for key, count in held.items():
        assert count >= 0.89 * DRAWS, key
    if size > 1:
        assert ignoring <= held["mean_cvr", "dr"] - 10
    else:
        assert ignoring == held["mean_cvr", "dr"]
