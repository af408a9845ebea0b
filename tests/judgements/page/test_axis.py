"""Axes and marks: what is drawn can be read back, and nothing leaves its place."""

import math

import numpy as np
import pytest

from postclick.judgements.page.axis import (
    MOST_TICKS,
    Axis,
    gain_axis,
    log_ticks,
    rate_axis,
    ratio_axis,
)
from postclick.judgements.page.drawing import Ends, gain_strips, ratio_strips
from postclick.reporting.ticks import even_ticks


def value_at(axis: Axis, percent: float) -> float:
    """The value that stands at a place: `at` the other way round."""
    if axis.log:
        return float(axis.low * (axis.high / axis.low) ** (percent / 100))
    return float(axis.low + (axis.high - axis.low) * percent / 100)


@pytest.mark.parametrize("seed", range(20))
def test_values_can_be_read_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = [float(v) for v in np.exp(rng.normal(0, rng.uniform(0.01, 1.5), 12))]
    ends = [float(v) for v in np.exp(rng.normal(0, 2, 12))]
    for axis in (
        ratio_axis(values, ends),
        gain_axis([v - 1 for v in values], [v - 1 for v in ends]),
        rate_axis([v / 100 for v in values], [v / 100 for v in ends]),
        rate_axis([v / 100 for v in values], from_zero=False),
    ):
        inside = np.linspace(axis.low, axis.high, 9)
        places = [axis.at(float(v)) for v in inside]
        assert places == sorted(places) and places[0] == 0 and places[-1] == 100
        near = 1e-4 * (axis.high - axis.low)  # places are rounded to a hundredth of a percent
        for value, place in zip(inside[1:-1], places[1:-1], strict=True):
            assert value_at(axis, place) == pytest.approx(value, rel=1e-3, abs=near)
        marks = [tick.at for tick in axis.ticks]
        assert 1 <= len(marks) <= MOST_TICKS and marks == sorted(set(marks))
        for tick in axis.ticks:
            assert value_at(axis, tick.at) == pytest.approx(float(tick.text), rel=1e-3, abs=near)
    assert all(ratio_axis(values, ends).holds(v) for v in values) and ratio_axis(values).holds(1.0)


@pytest.mark.parametrize("seed", range(30))
def test_ticks_are_few_round_and_between_the_ends(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = float(10 ** rng.uniform(-6, 3))
    high = low * float(10 ** rng.uniform(0.01, 5))
    for ticks in (
        log_ticks(low, high),
        even_ticks(-low, high, MOST_TICKS),
        even_ticks(low, high, MOST_TICKS),
    ):
        assert 1 <= len(ticks) <= MOST_TICKS
        assert all(-low - 1e-12 <= t <= high * (1 + 1e-12) for t in ticks)
        for tick in ticks:  # at most three digits that count
            assert tick == 0 or float(f"{tick:.3g}") == pytest.approx(tick, rel=1e-9)


def test_odd_values_have_a_place() -> None:
    axis = ratio_axis([None, 0.0, math.inf, math.nan, 1e9, 1e-9], [None, 0.0, math.inf])
    assert axis.low > 0 and math.isfinite(axis.high)
    assert (axis.at(0.0), axis.at(math.inf)) == (0.0, 100.0)
    assert gain_axis([0.0]).ticks and rate_axis([]).ticks and rate_axis([0.0]).ticks


def test_marks_stand_where_their_values_are() -> None:
    ends = [Ends(0.8, 0.7, 0.95, 0), Ends(1.3, 1.1, 40.0, 1), Ends(None, None, None, 2)]
    found = ratio_strips("PCOC", [(f"model {k}", "", [one]) for k, one in enumerate(ends)])
    assert found is not None
    axis = ratio_axis([0.8, 1.3], [0.7, 0.95, 1.1, 40.0])
    first, second, third = (strip.marks for strip in found.strips)
    assert third == () and found.strips[2].text == "-"
    assert value_at(axis, first[0].at) == pytest.approx(0.8, rel=1e-3)
    assert value_at(axis, first[0].low or 0) == pytest.approx(0.7, rel=1e-3)
    assert (first[0].beyond_low, first[0].beyond_high) == (False, False)
    assert second[0].beyond_high and second[0].high == 100.0
    assert second[0].hint == found.strips[1].text == "1.30 (1.10 to 40.00)"
    assert value_at(axis, found.guides[0]) == pytest.approx(1.0, rel=1e-3)


def test_no_value_no_figure() -> None:
    assert ratio_strips("PCOC", [("a", "", [Ends(None, None, None, 0)])]) is None
    assert gain_strips("gain", []) is None
