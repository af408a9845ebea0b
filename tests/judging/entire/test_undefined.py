"""Where an estimate has no value it says why, and what is written is JSON."""

import json
import subprocess
import sys

import numpy as np
import pytest

from helpers.entire_population import draw
from postclick.judging.entire import (
    ASSUMPTIONS,
    ESTIMATORS,
    METRICS,
    ClickedRows,
    EntireEstimates,
    UnitTotals,
    estimate_entire,
)
from postclick.judging.entire.estimate import estimate


def judged(
    pcvr: list[float], conversion: list[int], unit: list[int], others: float = 0.1
) -> EntireEstimates:
    """Clicked rows of propensity .5, and as many unclicked ones."""
    totals = UnitTotals(max([*unit, 0]) + 1)
    totals.add(pcvr, unit)
    totals.add(np.full(len(unit), others), unit)
    return estimate_entire(ClickedRows.of(pcvr, conversion, np.full(len(unit), 0.5), unit), totals)


def reasons(found: EntireEstimates) -> dict[tuple[str, str], str | None]:
    return {(one.metric, one.estimator): one.undefined for one in found.estimates}


def test_nothing_clicked_or_converted() -> None:
    totals = UnitTotals(2)
    totals.add([0.1, 0.2], unit=[0, 1])
    empty = estimate_entire(ClickedRows.of([], [], [], []), totals)
    assert set(reasons(empty).values()) == {"no clicked rows"}
    assert set(reasons(judged([0.1, 0.2], [0, 0], [0, 1])).values()) == {
        "no conversions among 2 clicked rows"
    }
    nobody = estimate_entire(ClickedRows.of([], [], [], []), UnitTotals(1))
    assert nobody.impressions == nobody.weight_per_impression == 0.0


def test_one_class_and_perfect_rankings_have_no_auc() -> None:
    found = reasons(judged([0.1, 0.2], [1, 1], [0, 1]))
    assert found["auc", "snipw"] == "only one class among 2 clicked rows"
    assert found["mean_cvr", "snipw"] is None
    found = reasons(judged([0.1, 0.2], [0, 1], [0, 1]))
    assert found["auc", "snipw"] == "1 by 2 clicked rows, of which there is no interval"


def test_a_certain_prediction_that_was_wrong() -> None:
    found = reasons(judged([0.0, 0.2, 0.3], [1, 1, 0], [0, 1, 2]))
    reason = "infinite: a prediction of exactly 0 or 1 was wrong"
    assert found["nll", "snipw"] == found["nll", "dr"] == reason
    assert found["mean_cvr", "dr"] is None
    right = judged([0.0, 0.2, 0.3], [0, 1, 0], [0, 1, 2])
    assert right.get("nll", "snipw").value == pytest.approx((-np.log(0.2) - np.log(0.7)) / 3)


def test_one_unit_has_no_interval() -> None:
    found = reasons(judged([0.3, 0.2, 0.4], [0, 1, 1], [0, 0, 0]))
    assert found["mean_cvr", "snipw"] == "all impressions are of one unit: no interval"


def test_a_corrected_mean_that_is_not_positive() -> None:
    found = reasons(judged([0.9, 0.9, 0.9, 0.9], [1, 0, 0, 0], [0, 1, 2, 3], others=0.001))
    for metric in ("mean_cvr", "pcoc"):
        told = found[metric, "dr"]
        assert told is not None and told.startswith("the corrected mean CVR is not positive (-0.2)")
        assert found[metric, "snipw"] is None


def test_scales_of_intervals() -> None:
    influence = np.tile([0.003, -0.003, 0.0], 100)
    plain, log, logit = (
        estimate("auc", "dr", 0.8, influence, 300, scale, 0.95)
        for scale in ("plain", "log", "logit")
    )
    error = np.sqrt(300 / 299 * 200 * 0.003**2)
    assert plain.degrees_of_freedom == pytest.approx(200)
    assert plain.standard_error == pytest.approx(error)
    assert plain.low == pytest.approx(0.8 - 1.971896 * error)
    assert log.high == pytest.approx(0.8 * np.exp(1.971896 * error / 0.8))
    assert logit.low == pytest.approx(1 / (1 + np.exp(-np.log(4) + 1.971896 * error / 0.16)))
    assert logit.high is not None and logit.high < 1


def test_what_is_written() -> None:
    log = draw(seed=5)
    found = estimate_entire(log.clicked(), log.everyone(), clip=0.05)
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert list(told["estimates"]) == list(METRICS)
    assert list(told["estimates"]["pcoc"]) == list(ESTIMATORS)
    assert told["estimators"]["dr"]["assumption"] == ASSUMPTIONS["dr"]
    assert found.get("nll", "dr").assumption == ASSUMPTIONS["dr"]
    assert (told["clip"], told["clicked"]) == (0.05, int(log.click.sum()))
    a = log.weight[log.click] / np.maximum(log.ctr[log.click], 0.05)
    assert told["weight_per_impression"] == pytest.approx(a.sum() / log.weight.sum())
    with pytest.raises(KeyError):
        found.get("gauc", "dr")


def test_cautions() -> None:
    log = draw(seed=5, rows=4_000, units=300)
    right = estimate_entire(log.clicked(), log.everyone(), clip=0.001)
    assert right.cautions == ()
    assert right.weights.clipped_weight_share < 0.05
    (clipped,) = estimate_entire(log.clicked(), log.everyone(), clip=0.2).cautions
    assert "the clip of 0.2 cuts" in clipped and "% of the weight" in clipped
    mend = float(clipped.rpartition("try ")[2])
    assert estimate_entire(log.clicked(), log.everyone(), clip=mend).cautions == ()
    off = estimate_entire(log.clicked(np.clip(2 * log.ctr, 0, 1)), log.everyone(), clip=0.001)
    assert "per impression where right propensities give 1" in off.cautions[0]
    (few,) = judged([0.1, 0.2, 0.3], [0, 1, 1], [0, 1, 2]).cautions
    assert few == "2 conversions count like 2: intervals are a rough guide"


def test_the_base_install_is_enough() -> None:
    """Neither SciPy, scikit-learn nor torch is loaded before a propensity is fitted."""
    code = (
        "import sys, postclick.judging.entire; print({'scipy','sklearn','torch'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
