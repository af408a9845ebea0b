"""Exposure values as levels, their click rates, and what is refused."""

from typing import Any

import numpy as np
import pytest

from postclick.errors import InputError
from postclick.judging.exposure import exposure_test
from postclick.judging.exposure.levels import ctr_of_levels, ctr_of_rows, levels


def test_few_numbers_stand_alone_and_many_are_cut() -> None:
    rng = np.random.default_rng(0)
    few = levels(rng.permutation(np.repeat(np.arange(20), 3)))
    assert few.names == tuple(map(str, range(20)))
    many = levels(rng.permutation(np.arange(1_000.0)))
    assert many.names[0] == "0 to 99" and len(many.names) == 10
    assert np.bincount(many.of_row).tolist() == [100] * 10
    assert levels([1e6 + 1, 1e6 + 2, 0.25]).names == ("0.25", "1000001", "1000002")


def test_the_most_frequent_categories_stand_alone() -> None:
    frequent = [f"c{k}" for k in range(20) for _ in range(30 - k)]
    cut = levels([*frequent, "rare", "rarer", None])
    assert cut.names == (*(f"c{k}" for k in range(20)), "(others)")
    assert cut.of_row[-3:].tolist() == [20, 20, -1]
    numbers = levels(np.array([12345678.0, 12345679.0, 12345679.0]), kind="categorical")
    assert numbers.names == ("12345679", "12345678")


@pytest.mark.parametrize(
    "exposure", [[1, 2, 2, 3], np.array([1, 2, 2, 3], np.uint8), [1.0, 2.0, 2.0, 3.0]]
)
def test_rates_are_found_whatever_the_type_of_number(exposure: Any) -> None:
    rates = ctr_of_rows({1.0: 0.3, np.int64(2): 0.2, 3: 0.1}, exposure, np.zeros(4, bool))
    assert rates.tolist() == [0.3, 0.2, 0.2, 0.1]


def test_rates_of_ranges_are_clicks_over_impressions() -> None:
    rng = np.random.default_rng(1)
    impressions = rng.integers(1, 51, 100_000)
    click = rng.random(100_000) < 0.5 / impressions
    value, many = np.unique(impressions, return_counts=True)
    clicks = np.bincount(impressions[click], minlength=51)[value]
    seen = impressions[click]
    cut = levels(seen)
    kept = clicks > 0
    ctr = dict(zip(value[kept].tolist(), (clicks / many)[kept].tolist(), strict=True))
    found = ctr_of_levels(
        ctr_of_rows(ctr, seen, np.zeros(seen.size, bool)), cut, np.ones(seen.size)
    )
    for k, rate in enumerate(found):
        values = np.unique(seen[cut.of_row == k])
        shown = np.isin(impressions, values)
        assert rate == pytest.approx(click[shown].mean())


def test_missing_exposures_are_shown_and_not_tested() -> None:
    rng = np.random.default_rng(2)
    position = rng.integers(1, 4, 600).astype(float)
    given = np.full(600, 0.2), rng.random(600) < 0.2
    ctr = {1: 0.3, 2: 0.2, 3: 0.1}
    gone = np.arange(600) < 50
    some = np.where(gone, np.nan, position)
    found = exposure_test(*given, some, ctr=ctr)
    rest = exposure_test(given[0][~gone], given[1][~gone], position[~gone], ctr=ctr)
    assert found.values[-1].value == "(missing)" and found.values[-1].rows == 50
    assert found.values[-1].ctr is None
    assert found.trend == rest.trend and found.omnibus == rest.omnibus
    objects = [None if one != one else int(one) for one in some.tolist()]
    assert exposure_test(*given, objects, ctr=ctr) == found
    by_row = np.where(np.isnan(some), np.nan, np.choose(position.astype(int) - 1, [0.3, 0.2, 0.1]))
    assert exposure_test(*given, some, ctr=by_row).trend == pytest.approx(found.trend)


GIVEN: dict[str, Any] = {"pcvr": [0.1, 0.2], "conversion": [0, 1], "exposure": [1, 2]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pcvr": [0.1, 1.2]}, "pcvr lies outside [0, 1] on 1 of 2 rows"),
        ({"conversion": [0, 2]}, "conversion is neither 0 nor 1 on 1 of 2 rows"),
        ({"conversion": [0]}, "conversion has 1 rows where 2 are expected"),
        ({"exposure": [1]}, "exposure has shape (1,) where pcvr has (2,)"),
        ({"unit": [1.0, 2.0]}, "unit has dtype float64: number the units, with whole numbers"),
        ({"weight": [1, -1]}, "weight lies outside [0, inf] on 1 of 2 rows"),
        ({"pctr": [0.1, -0.1]}, "pctr lies outside [0, 1] on 1 of 2 rows"),
        ({"level": 95}, "the level is 95; give one between 0 and 1, such as 0.95"),
        ({"ctr": {1: 0.2}}, "ctr has no click rate for exposure 2 (1 of 2 values have none)"),
        ({"ctr": {1: 0.2, 2: 0.0}}, "ctr is 0 for an exposure with clicks"),
        ({"ctr": {1: 0.2, 2: 7}}, "ctr lies outside [0, 1]"),
        ({"ctr": [0.1, 0.2, 0.3]}, "ctr has 3 rows where 2 are expected"),
        ({"ctr": [0.1, np.nan]}, "ctr is NaN or infinite on 1 of 2 rows"),
        (
            {"exposure": ["a", "b"], "kind": "numeric"},
            "exposure has dtype <U1, which is not numbers",
        ),
    ],
)
def test_wrong_input_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        exposure_test(**(GIVEN | change))
    assert str(caught.value).startswith(message)
