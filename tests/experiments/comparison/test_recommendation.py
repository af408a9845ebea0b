"""The one sentence: who is shipped, by which tests, and what is said beside it."""

from dataclasses import replace
from typing import Any

import pytest

from helpers.results import results, summary_of
from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.recommendation import Recommendation, off, recommend
from postclick.stats import detectable_difference

AUC = ("cvr_auc", "clicked")
NAIVE = [0.700, 0.702, 0.701, 0.699, 0.7005]
Values = list[float | str]


def better(by: float) -> Values:
    """So much better than naive, with every seed, give or take."""
    wobbles = (0, 1e-3, -1e-3, 0, 5e-4)
    return [value + by + wobble for value, wobble in zip(NAIVE, wobbles, strict=True)]


def row_test(difference: float, error: float, p: float | None) -> dict[str, Any]:
    ends = {"low": difference - 1.96 * error, "high": difference + 1.96 * error}
    return {"difference": difference, "standard_error": error, "p": p, **ends}


def recommended(
    log: PreparedLog,
    values: dict[str, Values],
    rows: dict[str, dict[str, Any]],
    pcoc: tuple[float, float, float] | None = (1.02, 0.9, 1.1),
    conversions: int = 83,
    undefined: str | None = None,
    apart: tuple[str, ...] = (),
) -> Recommendation:
    seeds = len(next(iter(values.values())))
    summary = summary_of({AUC: values}, log, seeds)
    figures = []
    if pcoc is not None:
        ends = dict(zip(("value", "low", "high"), pcoc, strict=True))
        figures = [{"metric": "cvr_pcoc", "space": "clicked", **ends}]
    protocol = {
        "simplest": {"methods": rows, "undefined": undefined},
        "intervals": {"methods": {name: {"figures": figures} for name in values}},
    }
    diagnostics = {
        "split": "test",
        "conversions": conversions,
        "protocols": {"fixed": protocol},
    }
    calibrated = [name for name in values if name not in apart]
    command = {name: f"postclick calibrate results/runs/{name}/seed-0 data" for name in calibrated}
    return recommend(summary, results({AUC: values}), diagnostics, "fixed", command)


def test_nobody_is_better(small_log: PreparedLog) -> None:
    noise: Values = [0.71, 0.69, 0.70, 0.72, 0.69]
    found = recommended(
        small_log,
        {"naive": [*NAIVE], "evi": noise},
        {"evi": row_test(0.004, 0.0111, 0.7)},
        (0.862, 0.80, 0.93),
    )
    assert found.sentence == (
        "No method is better than naive beyond noise on 83 test conversions (difference that could "
        "have been seen: 0.031). Ship the simplest, naive. Its pCVR is 14 % too low on clicked "
        "impressions: calibrate."
    )
    assert (found.ship, found.simplest, found.better, found.gain) == ("naive", "naive", (), None)
    assert found.detectable == pytest.approx(detectable_difference(0.0111))
    assert found.calibrate == "postclick calibrate results/runs/naive/seed-0 data"


def test_a_rate_of_all_impressions_is_not_to_be_calibrated(small_log: PreparedLog) -> None:
    found = recommended(
        small_log,
        {"naive": [*NAIVE], "selection": better(0.012)},
        {"selection": row_test(0.012, 0.003, 6e-5)},
        (0.7, 0.6, 0.8),
        apart=("selection",),
    )
    assert found.ship == "selection"
    assert found.calibrate is None
    assert found.sentence.endswith(
        "Its pCVR is 30 % too low on clicked impressions: it is meant to be that of all, had they "
        "been clicked, so do not calibrate it on clicks."
    )


def test_one_is_better_in_both_tests(small_log: PreparedLog) -> None:
    found = recommended(
        small_log,
        {"naive": [*NAIVE], "evi": better(0.012)},
        {"evi": row_test(0.012, 0.003, 6e-5)},
        conversions=4210,
    )
    assert found.sentence == (
        "Ship evi: +0.012 CVR-AUC over naive (0.006 to 0.018) on 4,210 test conversions "
        "(difference that could have been seen: 0.0084)."
    )
    assert found.gain == {
        "value": 0.012,
        "low": pytest.approx(0.00612),
        "high": pytest.approx(0.01788),
    }
    assert (found.better, found.calibrate) == (("evi",), None)


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        (0.012, row_test(0.012, 0.010, 0.23)),  # other rows could turn it
        (0.0, row_test(0.012, 0.003, 6e-5)),  # other seeds could turn it
        (0.012, row_test(0.012, 0.0, None)),  # no test over rows
        (-0.012, row_test(-0.012, 0.003, 6e-5)),  # worse beyond noise
    ],
)
def test_one_test_is_not_enough(small_log: PreparedLog, by: float, rows: dict[str, Any]) -> None:
    found = recommended(small_log, {"naive": [*NAIVE], "evi": better(by)}, {"evi": rows})
    assert (found.ship, found.better) == ("naive", ())
    assert found.sentence.startswith("No method is better than naive beyond noise on 83 test")


def test_of_several_the_best_mean_is_shipped_and_each_is_told(small_log: PreparedLog) -> None:
    values = {"dcmt": better(0.02), "naive": [*NAIVE], "evi": better(0.03), "esmm": better(0.05)}
    rows = {
        "dcmt": row_test(0.02, 0.004, 1e-6),
        "evi": row_test(0.03, 0.004, 1e-9),
        "esmm": row_test(0.05, 0.04, 0.2),
    }
    found = recommended(small_log, values, rows)
    assert (found.ship, found.better) == ("evi", ("evi", "dcmt"))


def test_p_values_over_rows_are_corrected_for_all_methods(small_log: PreparedLog) -> None:
    values: dict[str, Values] = {"naive": [*NAIVE], "evi": better(0.02)}
    rows = {"evi": row_test(0.02, 0.0085, 0.02)}
    assert recommended(small_log, values, rows).ship == "evi"
    for name in ("esmm", "dcmt"):
        values[name], rows[name] = better(0.0), row_test(0.0, 0.01, 1.0)
    assert recommended(small_log, values, rows).ship == "naive"


@pytest.mark.parametrize(
    ("methods", "simplest"),
    [(["evi", "naive", "esmm"], "naive"), (["evi", "esmm"], "esmm"), (["dcmt", "evi"], "dcmt")],
)
def test_the_simplest(small_log: PreparedLog, methods: list[str], simplest: str) -> None:
    values = {name: better(0.0) for name in methods}
    rows = {name: row_test(0.0, 0.01, 1.0) for name in methods if name != simplest}
    found = recommended(small_log, values, rows)
    assert (found.simplest, found.ship) == (simplest, simplest)


def test_one_seed_decides_nothing(small_log: PreparedLog) -> None:
    rows = {"evi": row_test(0.1, 0.001, 0.0)}
    found = recommended(small_log, {"naive": [0.7], "evi": [0.8]}, rows)
    assert found.ship == "naive"
    assert found.sentence.startswith("No method can be told from naive with one seed on 83 test")


def test_one_method_is_no_choice(small_log: PreparedLog) -> None:
    found = recommended(small_log, {"evi": better(0.0)}, {}, (1.2, 1.1, 1.3))
    assert found.sentence == (
        "Only evi was trained, judged on 83 test conversions: there is nothing to choose. "
        "Its pCVR is 20 % too high on clicked impressions: calibrate."
    )
    assert found.detectable is None


def test_without_conversions_nothing_is_claimed(small_log: PreparedLog) -> None:
    gone: Values = ["no conversions among 90 clicked rows"] * 2
    values = {"naive": gone, "evi": gone}
    found = recommended(small_log, values, {}, None, 0, "0 of 90 clicked rows converted")
    assert found.sentence == (
        "No method can be told from another: CVR-AUC cannot be tested on 0 test conversions. "
        "Ship the simplest, naive."
    )
    assert (found.pcoc, found.detectable) == (None, None)
    one = recommended(small_log, values, {}, None, 1, "1 of 90 clicked rows converted")
    assert "on 1 test conversion." in one.sentence


def test_a_method_without_a_value_is_not_shipped(small_log: PreparedLog) -> None:
    values: dict[str, Values] = {"naive": [*NAIVE], "evi": better(0.02), "ukd": ["diverged"] * 5}
    found = recommended(
        small_log,
        values,
        {"evi": row_test(0.02, 0.004, 1e-6), "ukd": row_test(0.2, 0.001, 0.0)},
    )
    assert found.better == ("evi",)


def test_it_is_json(small_log: PreparedLog) -> None:
    found = recommended(
        small_log, {"naive": [*NAIVE], "evi": better(0.0)}, {"evi": row_test(0.0, 0.01, 1.0)}
    )
    told = found.as_dict()
    assert Recommendation(**{**told, "better": tuple(told["better"])}) == found
    assert replace(found, ship="evi").as_dict()["ship"] == "evi"
    assert off(1.0) == "0 % too high"
