"""Which values are extreme, and what the scale of the others is, against numpy and by hand."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postclick.data.numbers.extremes import find_extremes, limits
from postclick.data.numbers.moments import LARGEST, Moments
from postclick.data.numbers.summary import SAMPLE_ROWS, NumberSummary
from postclick.data.row_hash import row_hash

FLT_MAX = float(np.finfo(np.float32).max)
Columns = dict[str, np.ndarray]


def summary_of(
    values: np.ndarray, *, logged: bool = False, cuts: tuple[int, ...] = ()
) -> NumberSummary:
    """In one chunk, or in those between the cuts, the last first."""
    hashes = row_hash(0, len(values), seed=0, stream=3)
    whole = NumberSummary(logged=logged)
    parts = list(zip(np.split(values, cuts), np.split(hashes, cuts), strict=True))
    for part, mine in reversed(parts):
        one = NumberSummary(logged=logged)
        one.add(part, mine)
        whole.merge(one)
    return whole


def columns() -> Columns:
    rng = np.random.default_rng(0)
    n = 20_000
    price = np.exp(rng.normal(size=n))
    return {
        "price": price,
        "epoch": 1.7e9 + 1e6 * rng.normal(size=n),
        "age": rng.integers(18, 80, n).astype(float),
        "count": np.where(rng.random(n) < 0.9, 0.0, rng.poisson(2, n)),
        "centred": rng.normal(0, 1e-3, n),
    }


def spoiled(values: np.ndarray, with_what: float, share: float) -> tuple[np.ndarray, np.ndarray]:
    taken = np.random.default_rng(1).permutation(len(values))[: max(1, int(share * len(values)))]
    found = values.copy()
    found[taken] = with_what
    return found, np.delete(values, taken)


@pytest.mark.parametrize("name", ["price", "age", "count", "centred"])
@pytest.mark.parametrize("value", [-999999999.0, FLT_MAX, -1e200, sys.float_info.max, 999999.0])
@pytest.mark.parametrize("share", [0.0001, 0.01, 0.1, 0.3])
def test_a_value_far_outside_leaves_the_scale_of_the_others(
    name: str, value: float, share: float
) -> None:
    values, others = spoiled(columns()[name], value, share)
    scale, extremes = summary_of(values).result()
    assert scale.mean == pytest.approx(others.mean(), rel=1e-9)
    assert scale.std == pytest.approx(others.std(), rel=1e-9)
    assert extremes is not None
    assert extremes.counts == ((value, len(values) - len(others)),)
    assert (extremes.low, extremes.high) == (others.min(), others.max())
    assert extremes.rows == len(values) - len(others)
    assert extremes.exact
    # At its limit the value is apart from the others, and no further than a deviation.
    held = np.clip(value, scale.low, scale.high)
    assert held < others.min() or held > others.max()
    nearest = others.min() if value < 0 else others.max()
    assert abs(held - nearest) <= scale.std * (1 + 1e-9)


def test_zero_as_no_time() -> None:
    values, others = spoiled(columns()["epoch"], 0.0, 0.1)
    scale, extremes = summary_of(values).result()
    assert extremes is not None
    assert (scale.mean, scale.std) == pytest.approx((others.mean(), others.std()))


def test_several_of_them_on_both_sides() -> None:
    values, _ = spoiled(columns()["price"], -999999999.0, 0.1)
    values[:50], values[50] = 1e30, sys.float_info.max
    others = values[np.abs(values) < 1e6]
    scale, extremes = summary_of(values).result()
    assert extremes is not None
    assert {value for value, _ in extremes.counts} == {-999999999.0, 1e30, sys.float_info.max}
    assert (scale.mean, scale.std) == pytest.approx((others.mean(), others.std()))


def heavy() -> Columns:
    rng = np.random.default_rng(7)
    n = 50_000
    few = rng.random(n) < 0.03
    noise = np.where(rng.random(n) < 0.6, 0.0, rng.normal(0, 1e-17, n))
    return {
        **columns(),
        "log-normal, sigma 2": np.exp(2 * rng.normal(size=n)),
        "log-normal, sigma 3": np.exp(3 * rng.normal(size=n)),
        "Pareto, alpha 1.5": (1 - rng.random(n)) ** (-1 / 1.5),
        "exponential": rng.exponential(size=n),
        "mostly zero": np.where(few, np.exp(rng.normal(3, 1.5, n)), 0.0),
        "zero or hundreds": np.where(few, rng.normal(900, 100, n), 0.0),
        "flag": (rng.random(n) < 0.001).astype(float),
        "two values": np.where(rng.random(n) < 0.3, 1e9, 3.0),
        "two humps": np.where(rng.random(n) < 0.4, 1e6, 1.0) * rng.uniform(1, 2, n),
        "noise and numbers": np.where(rng.random(n) < 0.2, rng.normal(0, 5, n), noise),
        "constant": np.full(n, 0.1),
        "large": rng.normal(1e300, 1e298, n),
        "few": np.array([1.0, 2.0, 1e9]),
    }


@pytest.mark.parametrize("name", heavy())
@pytest.mark.parametrize("logged", [False, True])
def test_an_ordinary_column_keeps_the_moments_of_all_its_values(name: str, logged: bool) -> None:
    values = heavy()[name]
    summary = summary_of(values, logged=logged)
    scale, extremes = summary.result()
    assert extremes is None
    assert (scale.mean, scale.std) == (summary.moments.mean, summary.moments.std)
    f = np.sign(values) * np.log1p(np.abs(values)) if logged else values.clip(-LARGEST, LARGEST)
    assert scale.low <= f.min() <= f.max() <= scale.high
    assert scale.low >= f.min() - scale.std * (1 + 1e-9)
    assert scale.high <= f.max() + scale.std * (1 + 1e-9)


def test_chunks_in_any_order_find_the_same() -> None:
    values, _ = spoiled(np.exp(np.random.default_rng(0).normal(size=90_000)), FLT_MAX, 0.05)
    assert len(values) > SAMPLE_ROWS
    whole, extremes = summary_of(values).result()
    parts, same = summary_of(values, cuts=(1, 300, 70_000)).result()
    assert extremes == same
    assert extremes is not None
    assert not extremes.exact
    assert extremes.rows == pytest.approx(4_500, rel=0.05)
    assert (whole.mean, whole.std, whole.low, whole.high) == (
        *(parts.mean, parts.std),
        *(parts.low, parts.high),
    )
    kept = values[values < FLT_MAX]
    assert whole.std == pytest.approx(kept.std(), rel=0.05)


def test_one_row_that_no_sample_has() -> None:
    values = np.random.default_rng(0).normal(size=200_000)
    sample = values[:1000]
    values[-1] = -1e200
    moments = Moments()
    moments.add(values)
    found = find_extremes(sample, moments)
    assert found is not None
    assert found.inside.std == pytest.approx(sample.std())
    # The others of the log may reach further than those of the sample.
    assert found.low < values[:-1].min() - 3
    assert found.high > values.max() + 3


def test_extremes_of_a_logarithm() -> None:
    values, others = spoiled(columns()["price"], sys.float_info.max, 0.1)
    scale, extremes = summary_of(values, logged=True).result()
    assert extremes is not None
    assert extremes.counts[0][0] == sys.float_info.max
    assert scale.std == pytest.approx(np.log1p(others).std())


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), max_size=60), st.booleans())
def test_any_numbers_have_a_finite_scale(numbers: list[float], logged: bool) -> None:
    values = np.array(numbers, dtype=np.float64)
    scale, _ = summary_of(values, logged=logged).result()
    assert np.isfinite([scale.mean, scale.std, scale.low, scale.high]).all()
    assert scale.std > 0
    assert scale.low <= scale.high


def test_limits_of_nothing_and_of_one_value() -> None:
    moments = Moments()
    assert limits(moments) == (0.0, 0.0)
    moments.add(np.array([7.0, 7.0]))
    assert limits(moments) == (7.0, 7.0)
