"""DeLong by group and with weights, against Obuchowski's sums and an infinitesimal jackknife."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from postclick.errors import InputError
from postclick.metrics import weighted_auc
from postclick.stats import auc_difference, auc_interval, bootstrap_difference

Array = NDArray[Any]


def obuchowski(score: Array, other: Array | None, label: Array, group: Array) -> float:
    """Her variance cluster by cluster, over all pairs; with `other` that of the difference."""
    positive = label.astype(bool)

    def wins(one: Array) -> Array:
        x, y = one[positive][:, None], one[~positive][None, :]
        return np.where(x > y, 1.0, np.where(x == y, 0.5, 0.0))

    pairs = wins(score) if other is None else wins(score) - wins(other)
    m, n = pairs.shape
    theta, v10, v01 = pairs.mean(), pairs.mean(axis=1), pairs.mean(axis=0)
    s10 = s01 = s11 = 0.0
    with_positives = with_negatives = 0
    clusters = np.unique(group)
    for cluster in clusters:
        up = v10[group[positive] == cluster]
        down = v01[group[~positive] == cluster]
        x, y = up.sum() - up.size * theta, down.sum() - down.size * theta
        with_positives += up.size > 0
        with_negatives += down.size > 0
        s10, s01, s11 = s10 + x * x, s01 + y * y, s11 + x * y
    s10 *= with_positives / ((with_positives - 1) * m)
    s01 *= with_negatives / ((with_negatives - 1) * n)
    s11 *= clusters.size / (clusters.size - 1)
    return float(s10 / m + s01 / n + 2 * s11 / (m * n))


def jackknife(score: Array, label: Array, group: Array, weight: Array) -> float:
    """Sum over groups of squared derivatives of the weighted AUC by the groups' weight."""

    def value(scaled: Array) -> float:
        found = weighted_auc(score, scaled * label, scaled * (1 - label))
        assert found is not None
        return found

    total, step = 0.0, 1e-6
    for one in np.unique(group):
        inside = group == one
        ends = [value(weight * (1 + sign * step * inside)) for sign in (1, -1)]
        total += ((ends[0] - ends[1]) / (2 * step)) ** 2
    return total


def users(rng: np.random.Generator, rows: int, count: int) -> tuple[Array, Array, Array, Array]:
    """Two scores with ties, labels and groups; a user's effect is in all of them."""
    group = rng.integers(1, count + 1, rows)
    effect = rng.normal(size=count + 1)[group]
    label = (rng.normal(size=rows) + effect > 0.8).astype(int)
    a = (effect + 0.5 * label + rng.normal(size=rows)).round(1)
    b = (effect + rng.normal(size=rows)).round(1)
    return a, b, label, group


@pytest.mark.parametrize(("rows", "count"), [(12, 4), (60, 7), (400, 80), (300, 300)])
def test_by_group_it_is_obuchowskis(rows: int, count: int) -> None:
    rng = np.random.default_rng(rows)
    for _ in range(5):
        a, b, label, group = users(rng, rows, count)
        sides = [np.unique(group[label == one]).size for one in (0, 1)]
        if min(sides) < 2:
            continue
        one = auc_interval(a, label, group=group)
        assert one.value == auc_interval(a, label).value, "groups are in the variance alone"
        assert one.standard_error**2 == pytest.approx(obuchowski(a, None, label, group), rel=1e-9)
        two = auc_difference(a, b, label, group=group)
        assert two.difference == auc_difference(a, b, label).difference
        assert two.standard_error**2 == pytest.approx(obuchowski(a, b, label, group), rel=1e-9)


def test_seeds_are_averaged_within_groups() -> None:
    rng = np.random.default_rng(1)
    a, b, label, group = users(rng, 200, 40)
    other = a + rng.normal(size=200)
    found = auc_difference([a, other], [b], label, group=group)
    ranks = [auc_interval(one, label, group=group).value for one in (a, other, b)]
    assert found.difference == pytest.approx((ranks[0] + ranks[1]) / 2 - ranks[2], abs=1e-12)
    # The mean of both seeds' components: variances of a sum and of a difference give it.
    sums = [
        auc_difference(one, b, label, group=group).standard_error ** 2 for one in (a, other)
    ] + [auc_difference(a, other, label, group=group).standard_error ** 2]
    expected = (2 * sums[0] + 2 * sums[1] - sums[2]) / 4
    assert found.standard_error**2 == pytest.approx(expected, rel=1e-9)


def test_rows_of_their_own_are_the_ungrouped_ones() -> None:
    a, b, label, _ = users(np.random.default_rng(2), 150, 30)
    plain = auc_difference(a, b, label)
    for group in (np.arange(1, 151), np.zeros(150, int), -np.arange(150)):
        found = auc_difference(a, b, label, group=group)
        assert found.standard_error == pytest.approx(plain.standard_error, rel=1e-12)
        assert found.p == pytest.approx(plain.p, rel=1e-9)


def test_copies_in_one_group_tell_nothing_new() -> None:
    a, b, label, group = users(np.random.default_rng(3), 150, 30)
    once = auc_difference(a, b, label, group=group)
    thrice = auc_difference(*(np.tile(one, 3) for one in (a, b, label)), group=np.tile(group, 3))
    assert thrice.difference == pytest.approx(once.difference, rel=1e-12)
    assert thrice.standard_error == pytest.approx(once.standard_error, rel=1e-12)
    alone = auc_difference(*(np.tile(one, 3) for one in (a, b, label)))
    assert alone.standard_error < 0.65 * auc_difference(a, b, label).standard_error


def test_weights_stand_for_rows_and_stay_with_them() -> None:
    a, b, label, group = users(np.random.default_rng(4), 200, 40)
    times = np.random.default_rng(5).integers(0, 4, 200)
    found = auc_difference(a, b, label, group=group, weight=times)
    copies = [np.repeat(one, times) for one in (a, b, label)]
    expected = auc_difference(*copies, group=np.repeat(group, times))
    assert found.difference == pytest.approx(expected.difference, rel=1e-12)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-10)
    same = auc_difference(a, b, label, group=group, weight=7.3 * times)
    assert same.standard_error == pytest.approx(found.standard_error, rel=1e-10)
    ones = auc_difference(a, b, label, weight=np.ones(200))
    assert ones.standard_error == pytest.approx(auc_difference(a, b, label).standard_error)


@pytest.mark.parametrize("count", [60, 400])
def test_with_weights_it_is_the_infinitesimal_jackknife(count: int) -> None:
    rng = np.random.default_rng(6)
    a, _, label, group = users(rng, 800, count)
    weight = rng.lognormal(size=800)
    found = auc_interval(a, label, group=group, weight=weight)
    assert found.value == pytest.approx(
        weighted_auc(a, weight * label, weight * (1 - label)), rel=1e-12
    )
    # But for the corrections I/(I-1), of which the jackknife has none.
    expected = jackknife(a, label, group, weight)
    assert found.standard_error**2 == pytest.approx(expected, rel=2.5 / count * 2)
    assert found.standard_error**2 > expected


def test_the_bootstrap_of_groups_agrees() -> None:
    rng = np.random.default_rng(7)
    a, b, label, group = users(rng, 3_000, 300)
    weight = rng.lognormal(sigma=0.5, size=3_000)
    exact = auc_difference(a, b, label, group=group, weight=weight)
    drawn = bootstrap_difference(
        "auc", a, b, label, group=group, by_group=True, weight=weight, resamples=600
    ).difference
    assert drawn.value == pytest.approx(exact.difference, rel=1e-10)
    assert drawn.standard_error == pytest.approx(exact.standard_error, rel=0.1)


def test_without_noise_there_is_no_p() -> None:
    label, group = np.array([0, 0, 0, 1, 1, 1]), np.array([1, 2, 3, 1, 2, 3])
    weight = np.array([0.1, 0.7, 0.3, 1.9, 0.2, 0.4])
    for w in (None, weight):
        opposite = auc_difference(label, 1 - label, label, group=group, weight=w)
        assert opposite.difference == pytest.approx(1.0)
        assert (opposite.standard_error, opposite.p) == (0.0, None)
        score = np.random.default_rng(8).normal(size=6)
        same = auc_difference([score] * 5, [score] * 3, label, group=group, weight=w)
        assert (same.difference, same.standard_error, same.p) == (0.0, 0.0, 1.0)


def test_far_tails_keep_their_digits() -> None:
    label = np.arange(6_000) < 3_000
    rng = np.random.default_rng(9)
    found = auc_difference(rng.normal(size=6_000) + label, rng.normal(size=6_000), label)
    assert found.p is not None
    assert 0.0 < found.p < 1e-100


def test_bad_input_is_refused() -> None:
    label, score = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    with pytest.raises(InputError, match="positive rows in 2 groups or more"):
        auc_interval(score, label, group=[1, 2, 3, 3])
    with pytest.raises(InputError, match="give integers, 0 for no group"):
        auc_interval(score, label, group=[0.5, 1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="group has 3 rows where 4"):
        auc_interval(score, label, group=[1, 2, 3])
    with pytest.raises(InputError, match=r"weight lies outside \[0, inf\] on 1 of 4"):
        auc_difference(score, score, label, weight=[1, 1, 1, -1])
    with pytest.raises(InputError, match="label has 1 positive and 2 negative rows"):
        auc_interval(score, label, weight=[1, 1, 0, 1])
