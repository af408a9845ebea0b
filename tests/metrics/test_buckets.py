import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

from helpers.judged_logs import log
from postclick.errors import InputError
from postclick.metrics.buckets import Bucket, by_bucket, calibration_error

UNIT = st.one_of(st.just(0.0), st.floats(1e-9, 1))
# Few distinct values, among them both zeros: ties are the rule.
KEYS = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([-1.0, -0.0, 0.0, 0.5]))
ROWS = st.lists(st.tuples(KEYS, UNIT, st.one_of(UNIT, st.sampled_from([0.0, 1.0]))), max_size=60)


def columns(rows: list[tuple[float, float, float]]) -> list[NDArray[Any]]:
    return [np.array([row[k] for row in rows], dtype=np.float64) for k in range(3)]


@given(ROWS, st.integers(1, 12))
def test_buckets_partition_the_rows_and_never_split_ties(
    rows: list[tuple[float, float, float]], wanted: int
) -> None:
    by, prediction, label = columns(rows)
    found = by_bucket(by, prediction, label, wanted)
    assert len(found) <= wanted and sum(b.rows for b in found) == len(rows)
    assert all(a.high < b.low for a, b in pairwise(found))
    for bucket in found:
        inside = (by >= bucket.low) & (by <= bucket.high)
        assert inside.sum() == bucket.rows > 0
        assert (by[inside].min(), by[inside].max()) == (bucket.low, bucket.high)
        assert bucket.predicted == pytest.approx(prediction[inside].mean(), rel=1e-12, abs=1e-300)
        assert bucket.observed == pytest.approx(label[inside].mean(), rel=1e-12, abs=1e-300)
        total = math.fsum(label[inside])
        if total:
            pcoc = math.fsum(prediction[inside]) / total
            assert bucket.pcoc == pytest.approx(pcoc, rel=1e-12, abs=1e-300)
        else:
            assert bucket.pcoc is None
    for name, values in (("predicted", prediction), ("observed", label)):
        weighted = math.fsum(b.rows * getattr(b, name) for b in found)
        assert weighted == pytest.approx(math.fsum(values), rel=1e-12, abs=1e-300)


@given(st.lists(KEYS, min_size=1, max_size=60), st.integers(1, 12))
def test_no_order_of_rows_matters(by: list[float], wanted: int) -> None:
    half = np.full(len(by), 0.5)
    assert by_bucket(by, half, half, wanted) == by_bucket(by[::-1], half, half, wanted)


@given(st.integers(0, 200), st.integers(1, 15))
def test_without_ties_sizes_differ_by_one_at_most(n: int, wanted: int) -> None:
    by = np.random.default_rng(n).permutation(n)
    sizes = [b.rows for b in by_bucket(by, np.zeros(n), np.zeros(n), wanted)]
    assert len(sizes) == min(n, wanted)
    assert not sizes or max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("by", "sizes"),
    [
        ([0.0] * 95 + [1.0] * 5, [95, 5]),
        ([0.0] * 5 + [1.0] * 95, [5, 95]),
        ([0.0] * 40 + [1.0] * 20 + [2.0] * 40, [40, 20, 40]),
        ([3.0] * 100, [100]),
    ],
)
def test_heavy_ties_leave_what_bounds_there_are(by: list[float], sizes: list[int]) -> None:
    half = np.full(100, 0.5)
    assert [b.rows for b in by_bucket(by, half, half)] == sizes


def test_a_bound_goes_to_the_nearer_end_of_a_tie() -> None:
    half = np.full(10, 0.5)
    late, early = [0, 1, 1, 1, 1, 1, 2, 2, 2, 2], [0, 0, 0, 0, 1, 1, 1, 1, 1, 2]
    assert [b.rows for b in by_bucket(late, half, half, 2)] == [6, 4]
    assert [b.rows for b in by_bucket(early, half, half, 2)] == [4, 6]


def test_a_calibration_curve_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    q = rng.random(2000)
    v = rng.random(2000) < q**2
    found = by_bucket(q, q, v)
    observed, predicted = calibration_curve(v, q, n_bins=10, strategy="quantile")
    assert [b.observed for b in found] == pytest.approx(observed.tolist(), rel=1e-12)
    assert [b.predicted for b in found] == pytest.approx(predicted.tolist(), rel=1e-12)
    gaps = np.abs(observed - predicted)
    assert calibration_error(found) == pytest.approx(gaps.mean(), rel=1e-12)  # of equal size


def test_right_probabilities_are_calibrated_by_any_key() -> None:
    data = log(50_000, seed=4)
    click, r = data["click"] == 1, data["true_cvr"]
    for by in (data["ctr_logit"], r, data["cvr_logit"]):
        found = by_bucket(by[click], r[click], data["conversion"][click])
        assert len(found) == 10
        for b in found:
            sd = (b.predicted * (1 - b.predicted) / b.rows) ** 0.5
            assert abs(b.predicted - b.observed) < 4 * sd
    soft = by_bucket(data["ctr_logit"], r, r)
    assert calibration_error(soft) == 0.0 and all(b.pcoc == 1 for b in soft)


def test_calibration_error_by_hand() -> None:
    found = (Bucket(0, 1, 1, 0.5, 0.1, 5.0), Bucket(2, 3, 3, 0.2, 0.4, 0.5))
    assert calibration_error(found) == pytest.approx((0.4 + 3 * 0.2) / 4)
    with pytest.raises(InputError, match="no buckets"):
        calibration_error(())


def test_no_rows_no_buckets() -> None:
    assert by_bucket([], [], []) == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1, math.nan], [0.1, 0.1], [0, 1]), "by is NaN"),
        (([0.1, 0.2], [0.1, 1.5], [0, 1]), "prediction lies outside"),
        (([0.1, 0.2], [0.1, 0.1], [0, 2]), "label lies outside"),
        (([0.1, 0.2], [0.1], [0, 1]), "prediction has 1 rows where 2"),
        (([0.1], [0.1], [0], 0), "0 buckets"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        by_bucket(*arguments)
