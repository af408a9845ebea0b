"""Estimates over all impressions against row-by-row sums, exact expectations and resamples."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.entire_population import Floats, Log, by_hand, draw, robust_auc_by_hand
from postclick.judging.entire import (
    ESTIMATORS,
    METRICS,
    ClickedRows,
    EntireEstimates,
    UnitTotals,
    estimate_entire,
)
from postclick.metrics.auc import weighted_auc

ALL = [(metric, estimator) for metric in METRICS for estimator in ESTIMATORS]
CLIP = 0.2


@pytest.fixture(scope="module")
def log() -> Log:
    return draw(seed=1)


@pytest.fixture(scope="module")
def found(log: Log) -> EntireEstimates:
    return estimate_entire(log.clicked(), log.everyone(), clip=CLIP)


def test_values_are_those_of_plain_sums(log: Log, found: EntireEstimates) -> None:
    for (metric, estimator), value in by_hand(log, np.ones(log.units), CLIP).items():
        assert found.get(metric, estimator).value == pytest.approx(value, rel=1e-10)
    robust = robust_auc_by_hand(log, np.ones(log.units), CLIP)
    # Scores within 1/1024 logit count as tied.
    assert found.get("auc", "dr").value == pytest.approx(robust, abs=2e-4)


def test_influences_are_derivatives(log: Log, found: EntireEstimates) -> None:
    """Counting a unit a little more often moves each estimate by its influence."""
    step = 1e-4
    for unit in (0, 7, 31):
        times = [np.ones(log.units), np.ones(log.units)]
        times[0][unit] -= step
        times[1][unit] += step
        less, more = (by_hand(log, one, CLIP) for one in times)
        for key, value in more.items():
            influence = found.get(*key).influence
            assert influence is not None
            slope = (value - less[key]) / (2 * step)
            assert influence[unit] == pytest.approx(slope, rel=1e-6, abs=1e-9)
        less_auc, more_auc = (robust_auc_by_hand(log, one, CLIP) for one in times)
        influence = found.get("auc", "dr").influence
        assert influence is not None
        # Own pairs, of order 1 / rows, are not among what it follows.
        assert influence[unit] == pytest.approx((more_auc - less_auc) / (2 * step), abs=1e-4)


@pytest.mark.parametrize("key", ALL)
def test_influences_sum_to_nothing(found: EntireEstimates, key: tuple[str, str]) -> None:
    influence = found.get(*key).influence  # type: ignore[arg-type]
    assert influence is not None
    assert influence.sum() == pytest.approx(0.0, abs=1e-12)


def test_standard_errors_are_those_of_resampled_units() -> None:
    log = draw(seed=2, rows=3_000, units=400)
    everyone = log.everyone()
    found = estimate_entire(log.clicked(), everyone, clip=CLIP)
    rng = np.random.default_rng(0)
    drawn: dict[tuple[str, str], list[float]] = {key: [] for key in ALL}
    for _ in range(300):
        times = rng.poisson(1.0, log.units).astype(float)
        again = replace(log, weight=log.weight * times[log.unit])
        once = estimate_entire(again.clicked(), again.everyone(), clip=CLIP)
        for key in ALL:
            value = once.get(*key).value  # type: ignore[arg-type]
            assert value is not None
            drawn[key].append(value)
    for key, values in drawn.items():
        error = found.get(*key).standard_error  # type: ignore[arg-type]
        assert error == pytest.approx(np.std(values), rel=0.2), key


# Cells of a population: impressions, CTR, CVR.
SIZE = np.array([4e6, 2e6, 1e6, 3e6])
CTR = np.array([0.02, 0.1, 0.5, 0.05])
CVR = np.array([0.05, 0.2, 0.4, 0.01])


def expected(propensity: Floats, pcvr: Floats) -> EntireEstimates:
    """Estimates from every cell's expected clicks and conversions: no noise is left."""
    cells = np.arange(4)
    clicked = ClickedRows.of(
        np.concatenate([pcvr, pcvr]),
        np.repeat([True, False], 4),
        np.concatenate([propensity, propensity]),
        np.concatenate([cells, cells]),
        np.concatenate([SIZE * CTR * CVR, SIZE * CTR * (1 - CVR)]),
    )
    everyone = UnitTotals(4)
    everyone.add(pcvr, cells, SIZE)
    return estimate_entire(clicked, everyone, clip=0.0)


def truth(pcvr: Floats) -> dict[str, float]:
    mean = float(np.average(CVR, weights=SIZE))
    loss = -CVR * np.log(pcvr) - (1 - CVR) * np.log(1 - pcvr)
    ranked = weighted_auc(pcvr, SIZE * CVR, SIZE * (1 - CVR))
    assert ranked is not None
    return {
        "mean_cvr": mean,
        "pcoc": float(np.average(pcvr, weights=SIZE)) / mean,
        "nll": float(np.average(loss, weights=SIZE)),
        "auc": ranked,
    }


WRONG_CTR = np.array([0.1, 0.2, 0.3, 0.4])
WRONG_PCVR = np.array([0.1, 0.15, 0.2, 0.3])


def off(found: EntireEstimates, pcvr: Floats, estimator: str) -> list[float]:
    wanted = truth(pcvr)
    values = [found.get(metric, estimator).value for metric in METRICS]  # type: ignore[arg-type]
    return [abs(value / wanted[m] - 1) for m, value in zip(METRICS, values, strict=True) if value]


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_right_propensities_are_enough(estimator: str, factor: float) -> None:
    """Also up to a common factor, as where unclicked rows were sampled."""
    found = expected(CTR * factor, WRONG_PCVR)
    assert max(off(found, WRONG_PCVR, estimator)) < 1e-4
    assert len(off(found, WRONG_PCVR, estimator)) == len(METRICS)


def test_a_right_model_is_enough_for_dr_alone() -> None:
    found = expected(WRONG_CTR, CVR)
    assert max(off(found, CVR, "dr")) < 1e-4
    assert min(off(found, CVR, "snipw")) > 0.01


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_wrong_in_both_is_wrong(estimator: str) -> None:
    assert min(off(expected(WRONG_CTR, WRONG_PCVR), WRONG_PCVR, estimator)) > 0.01
