"""DeLong against its definition over all pairs, and its coverage over repeated draws."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from postclick.errors import InputError
from postclick.metrics import auc
from postclick.stats import auc_difference, auc_interval

Array = NDArray[Any]


def all_pairs(scores: list[Array], label: Array) -> tuple[Array, Array]:
    """AUCs and covariance as DeLong et al. define them, in O(rows squared)."""
    positive = np.asarray(label, dtype=bool)
    wins = []
    for score in scores:
        x, y = score[positive][:, None], score[~positive][None, :]
        wins.append(np.where(x > y, 1.0, np.where(x == y, 0.5, 0.0)))
    m, n = wins[0].shape
    s10 = np.atleast_2d(np.cov([win.mean(axis=1) for win in wins]))
    s01 = np.atleast_2d(np.cov([win.mean(axis=0) for win in wins]))
    return np.array([win.mean() for win in wins]), s10 / m + s01 / n


KINDS = {
    "random": lambda rng, n: rng.normal(size=n),
    "float32": lambda rng, n: rng.normal(size=n).astype(np.float32),
    "float16, many ties": lambda rng, n: rng.normal(size=n).astype(np.float16).round(1),
    "integers": lambda rng, n: rng.integers(-2, 3, size=n),
    "two values": lambda rng, n: rng.choice([-1.5, 2.5], size=n),
    "signed zeros": lambda rng, n: rng.choice([-0.0, 0.0, 1.0], size=n),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_agrees_with_the_definition(kind: str, rate: float) -> None:
    rng = np.random.default_rng(3)
    label = rng.random(400) < rate
    shared = KINDS[kind](rng, 400)
    scores = [shared, shared + label, KINDS[kind](rng, 400), -shared]
    aucs, covariance = all_pairs(scores, label)
    for k, score in enumerate(scores):
        one = auc_interval(score, label)
        assert one.value == auc(score, label)  # to the last bit
        assert one.value == pytest.approx(aucs[k], rel=1e-13)
        assert one.standard_error**2 == pytest.approx(covariance[k, k], rel=1e-10, abs=1e-16)
        for other in range(k):
            assert_difference(scores, label, k, other, aucs, covariance)


def assert_difference(
    scores: list[Array], label: Array, k: int, j: int, aucs: Array, covariance: Array
) -> None:
    found = auc_difference(scores[k], scores[j], label)
    variance = covariance[k, k] + covariance[j, j] - 2 * covariance[k, j]
    assert found.difference == pytest.approx(aucs[k] - aucs[j], rel=1e-12, abs=1e-15)
    assert found.standard_error**2 == pytest.approx(variance, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("rows", [4, 5, 7, 30])
def test_agrees_with_the_definition_on_few_rows(rows: int) -> None:
    rng = np.random.default_rng(rows)
    for _ in range(50):
        label = rng.permutation(np.arange(rows) < rng.integers(2, rows - 1))
        scores = [rng.integers(0, 4, rows).astype(float) for _ in range(3)]
        aucs, covariance = all_pairs(scores, label)
        for k in range(3):
            one = auc_interval(scores[k], label)
            assert one.value == pytest.approx(aucs[k], rel=1e-13, abs=1e-15)
            assert one.standard_error**2 == pytest.approx(covariance[k, k], rel=1e-10, abs=1e-16)
            assert_difference(scores, label, k, (k + 1) % 3, aucs, covariance)


def test_difference_and_interval_follow_from_the_covariance() -> None:
    rng = np.random.default_rng(5)
    label = rng.random(500) < 0.2
    a, b = rng.normal(size=500) + label, rng.normal(size=500) + 0.5 * label
    aucs, covariance = all_pairs([a, b], label)
    found = auc_difference(a, b, label, level=0.9)
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert found.difference == pytest.approx(aucs[0] - aucs[1], rel=1e-12)
    assert found.standard_error == pytest.approx(error, rel=1e-10)
    z = stats.norm.ppf(0.95)
    assert found.low == pytest.approx(found.difference - z * error, rel=1e-9)
    assert found.high == pytest.approx(found.difference + z * error, rel=1e-9)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(found.difference) / error), rel=1e-9)
    one = auc_interval(a, label)
    assert one.value == auc(a, label)
    assert one.standard_error == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-10)
    assert one.high - one.low == pytest.approx(2 * 1.959964 * one.standard_error, rel=1e-6)


def test_seeds_are_averaged_as_one_contrast() -> None:
    rng = np.random.default_rng(6)
    label = rng.random(300) < 0.3
    a = [(rng.normal(size=300) + label).round(1) for _ in range(3)]
    b = [rng.normal(size=300) for _ in range(2)]
    aucs, covariance = all_pairs([*a, *b], label)
    weights = np.array([1 / 3, 1 / 3, 1 / 3, -1 / 2, -1 / 2])
    found = auc_difference(a, b, label)
    assert found.difference == pytest.approx(weights @ aucs, rel=1e-12)
    assert found.standard_error == pytest.approx(np.sqrt(weights @ covariance @ weights), rel=1e-10)
    assert auc_difference(np.stack(a), tuple(b), label) == found
    mean = auc_interval(a, label)
    assert mean.value == pytest.approx(aucs[:3].mean(), rel=1e-12)
    third = np.full(3, 1 / 3)
    error = np.sqrt(third @ covariance[:3, :3] @ third)
    assert mean.standard_error == pytest.approx(error, rel=1e-10)


def test_only_ranks_count_and_only_pairs_of_rows() -> None:
    rng = np.random.default_rng(7)
    label = rng.random(300) < 0.3
    a, b = rng.normal(size=300), rng.normal(size=300)
    found = auc_difference(a, b, label)
    assert auc_difference(np.exp(a), 3 * b - 7, label) == found
    order = rng.permutation(300)
    moved = auc_difference(a[order], b[order], label[order])
    assert moved.difference == found.difference
    assert moved.standard_error == pytest.approx(found.standard_error, rel=1e-12)
    back = auc_difference(b, a, label)
    assert (back.difference, back.p) == (-found.difference, found.p)
    flipped = auc_difference(-a, -b, ~label)
    assert flipped.difference == pytest.approx(found.difference, rel=1e-12)
    assert flipped.standard_error == pytest.approx(found.standard_error, rel=1e-12)


def test_pairing_narrows_the_interval() -> None:
    rng = np.random.default_rng(8)
    label = rng.random(1000) < 0.2
    a = rng.normal(size=1000) + label
    b = a + 0.1 * rng.normal(size=1000)
    apart = np.hypot(auc_interval(a, label).standard_error, auc_interval(b, label).standard_error)
    assert auc_difference(a, b, label).standard_error < 0.3 * apart


def test_without_noise_there_is_no_p() -> None:
    label = np.array([0, 0, 0, 1, 1, 1, 1])
    same = auc_difference(label, label, label)
    assert (same.difference, same.standard_error, same.p, same.undefined) == (0.0, 0.0, 1.0, None)
    rng = np.random.default_rng(9)
    score = rng.normal(size=7)
    assert auc_difference([score] * 3, [score] * 2, label).p == 1.0
    opposite = auc_difference(label, 1 - label, label)
    assert (opposite.difference, opposite.standard_error, opposite.p) == (1.0, 0.0, None)
    assert opposite.undefined is not None and "no noise" in opposite.undefined
    # A third of a tie more in every pair: equal shares that no float holds exactly.
    many = np.arange(24) < 11
    third = auc_difference([many, 0 * many, 0 * many], 0 * many, many)
    assert third.difference == pytest.approx(1 / 6)
    assert (third.standard_error, third.p) == (0.0, None)
    perfect = auc_interval(label, label)
    assert (perfect.value, perfect.standard_error, perfect.low, perfect.high) == (1, 0, 1, 1)


def test_intervals_stay_within_the_possible() -> None:
    label = np.array([0, 0, 1, 1, 1])
    score = np.array([0.1, 0.5, 0.4, 0.8, 0.9])
    assert auc_interval(score, label).high == 1.0
    assert auc_interval(-score, label).low == 0.0
    wide = auc_difference(score, -score, label, level=0.999)
    assert wide.high == 1.0
    assert auc_difference(-score, score, label, level=0.999).low == -1.0


@pytest.mark.parametrize("label", [[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1], [1, 1, 1, 0], []])
def test_two_rows_of_each_class_are_needed(label: list[int]) -> None:
    score = np.arange(len(label))
    for call in (
        lambda: auc_interval(score, label),
        lambda: auc_difference(score, score, label),
    ):
        with pytest.raises(InputError, match="needs 2 or more of each") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_bad_input_is_refused() -> None:
    label, score = [0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]
    with pytest.raises(InputError, match="scores has 3 rows where 4"):
        auc_interval(score[:3], label)
    with pytest.raises(InputError, match="scores has no seeds"):
        auc_interval([], label)
    with pytest.raises(InputError, match="scores_b is NaN or infinite on 1 of 4"):
        auc_difference(score, [0.1, 0.2, np.nan, 0.4], label)
    with pytest.raises(InputError, match="scores_a of seed 1 has 2 rows"):
        auc_difference([score, score[:2]], score, label)
    with pytest.raises(InputError, match="scores_b has no seeds"):
        auc_difference(score, [], label)
    with pytest.raises(InputError, match="neither 0 nor 1"):
        auc_interval(score, [0, 0, 1, 2])
    for level in (0.0, 1.0, 95):
        with pytest.raises(InputError, match="between 0 and 1"):
            auc_interval(score, label, level=level)


def test_input_is_left_alone() -> None:
    score, label = np.array([3.0, 1.0, 2.0, 5.0]), np.array([1, 0, 0, 1])
    auc_interval([score], label)
    auc_difference([score, score], score, label)
    assert score.tolist() == [3.0, 1.0, 2.0, 5.0]
    assert label.tolist() == [1, 0, 0, 1]


def draw(rng: np.random.Generator, rows: int) -> tuple[Array, Array, Array]:
    """Scores with AUC Phi(1 / sqrt 2) and Phi(.6 / sqrt 2) that share half of their variance."""
    label = rng.permutation(np.arange(rows) < rows // 5)
    shared = rng.normal(size=rows)
    noise = [(shared + rng.normal(size=rows)) / np.sqrt(2) for _ in range(4)]
    a = np.stack([label + noise[0], label + noise[1]])
    return a, np.stack([0.6 * label + noise[2], 0.6 * label + noise[3]]), label


@pytest.mark.slow
def test_coverage() -> None:
    rng = np.random.default_rng(12)
    truth = stats.norm.cdf(1.0 / np.sqrt(2)), stats.norm.cdf(0.6 / np.sqrt(2))
    repeats, one, several, alone = 2000, 0, 0, 0
    for _ in range(repeats):
        a, b, label = draw(rng, 400)
        single = auc_difference(a[0], b[0], label)
        one += single.low <= truth[0] - truth[1] <= single.high
        pooled = auc_difference(a, b, label)
        several += pooled.low <= truth[0] - truth[1] <= pooled.high
        interval = auc_interval(a[0], label)
        alone += interval.low <= truth[0] <= interval.high
    # 1900 expected, sd 9.7; with 80 positives normal intervals are a little short.
    for covered in (one, several, alone):
        assert 1860 <= covered <= 1935


@pytest.mark.slow
def test_rejects_at_its_level_under_no_difference() -> None:
    rng = np.random.default_rng(13)
    rejected = 0
    for _ in range(2000):
        a, _, label = draw(rng, 400)
        p = auc_difference(a[0], a[1], label).p
        rejected += p is not None and p < 0.05
    assert 65 <= rejected <= 140
