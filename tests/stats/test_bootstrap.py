"""The bootstrap against standard errors known from formulas, and against plain recomputation."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.two_models import sigmoid, two_models
from postclick.errors import InputError
from postclick.metrics import AUC, EvaluationSums, Rows, auc, gauc, weighted_auc
from postclick.stats import (
    auc_difference,
    bootstrap_difference,
    bootstrap_intervals,
)

Array = NDArray[Any]


def losses(z: Array, y: Array) -> Array:
    return np.asarray(-(y * np.log(sigmoid(z)) + (1 - y) * np.log(1 - sigmoid(z))))


def test_standard_error_of_a_mean() -> None:
    a, b, label = two_models(5_000)
    for name, per_row in (
        ("nll", losses(a, label) - losses(b, label)),
        ("bias", sigmoid(a) - sigmoid(b)),
    ):
        found = bootstrap_difference(name, a, b, label, resamples=2_000).difference
        error = per_row.std(ddof=1) / np.sqrt(per_row.size)
        assert found.value == pytest.approx(per_row.mean(), rel=1e-10)
        assert found.standard_error == pytest.approx(error, rel=0.08)  # 1.6 % is one sd
        assert found.low == pytest.approx(found.value - 1.96 * error, abs=0.25 * error)
        assert found.high == pytest.approx(found.value + 1.96 * error, abs=0.25 * error)


def test_standard_error_of_a_ratio() -> None:
    a, b, label = two_models(5_000, seed=1)
    found = bootstrap_difference("pcoc", a, b, label, resamples=2_000)
    ratio = sigmoid(a).sum() / label.sum()
    error = (sigmoid(a) - ratio * label).std(ddof=1) / label.mean() / np.sqrt(label.size)
    assert found.a.value == pytest.approx(ratio, rel=1e-12)
    assert found.a.standard_error == pytest.approx(error, rel=0.08)
    relative = bootstrap_difference("relative_bias", a, b, label, resamples=2_000)
    assert relative.a.value == pytest.approx(ratio - 1, rel=1e-10)
    assert relative.difference.high == pytest.approx(found.difference.high, rel=1e-10)


@pytest.mark.parametrize("digits", [1, 8])
def test_standard_error_of_auc_is_delongs(digits: int) -> None:
    a, b, label = two_models(2_000, seed=2)
    a, b = a.round(digits), b.round(digits)
    found = bootstrap_difference("auc", a, b, label, resamples=2_000)
    exact = auc_difference(a, b, label)
    assert found.a.value == pytest.approx(auc(a, label), rel=1e-12)
    assert found.difference.value == pytest.approx(exact.difference, rel=1e-9)
    assert found.difference.standard_error == pytest.approx(exact.standard_error, rel=0.1)
    assert found.gain == found.difference


def test_values_are_those_of_evaluation() -> None:
    """The same figures as the registry's metrics, on the clicked rows of a log."""
    a, b, label = two_models(3_000, seed=3)
    sums = EvaluationSums()
    sums.update(np.zeros(a.size), a, np.ones(a.size), label)
    measured = {m.metric: m.value for m in sums.compute() if m.metric.startswith("cvr_")}
    for name in ("auc", "nll", "pcoc"):
        found = bootstrap_difference(name, a, b, label, resamples=40)
        assert found.a.value == pytest.approx(measured[f"cvr_{name}"], rel=1e-12)


@pytest.mark.parametrize("soft", [False, True])
def test_ranking_is_weighted_auc(soft: bool) -> None:
    rng = np.random.default_rng(4)
    score = rng.normal(size=300).round(1)
    y = rng.random(300) if soft else (rng.random(300) < 0.2).astype(float)
    ranking = AUC().weighted(Rows(y, score))
    for _ in range(20):
        weights = rng.poisson(1.0, 300).astype(float)
        expected = weighted_auc(score, weights * y, weights * (1 - y))
        assert ranking(weights) == pytest.approx(expected, rel=1e-12)
    assert np.isnan(ranking(np.zeros(300)))


@pytest.mark.parametrize("name", ["auc", "nll", "pcoc", "bias", "relative_bias"])
def test_a_and_b_share_their_resamples(name: str) -> None:
    a, _, label = two_models(400, seed=7)
    same = bootstrap_difference(name, a, a, label, resamples=100)
    assert (same.difference.low, same.difference.high, same.gain.standard_error) == (0, 0, 0)
    assert same.a == same.b
    assert same.a.standard_error > 0


@pytest.mark.parametrize("name", ["auc", "nll", "pcoc"])
def test_seeds_are_averaged_within_a_resample(name: str) -> None:
    a, b, label = two_models(400, seed=8)
    single = bootstrap_difference(name, a, b, label, resamples=100)
    repeated = bootstrap_difference(name, [a, a], np.stack([b, b, b]), label, resamples=100)
    assert repeated.difference.value == pytest.approx(single.difference.value, rel=1e-12)
    assert repeated.gain.low == pytest.approx(single.gain.low, rel=1e-9)
    mixed = bootstrap_difference(name, [a, b], b, label, resamples=100)
    assert mixed.a.value == pytest.approx((single.a.value + single.b.value) / 2, rel=1e-12)
    assert mixed.difference.high == pytest.approx(single.difference.high / 2, rel=1e-9)


def test_gain_follows_the_direction() -> None:
    _, _, label = two_models(2_000, seed=9)
    rate = label.mean()
    logit = np.full(label.size, np.log(rate / (1 - rate)))
    over, under = logit + 0.5, logit - 0.1
    for name in ("nll", "pcoc", "bias", "relative_bias"):
        found = bootstrap_difference(name, under, over, label, resamples=200)
        assert found.difference.value < 0 < found.gain.value
        worse = bootstrap_difference(name, over, under, label, resamples=200)
        assert worse.difference.value > 0 > worse.gain.value
    # Seeds that err on both sides are not right on average.
    wild = bootstrap_difference("pcoc", [logit + 0.5, logit - 0.5], logit, label, resamples=200)
    assert wild.gain.value < -0.3


def test_soft_labels() -> None:
    rng = np.random.default_rng(10)
    z = rng.normal(size=1_000) - 1
    r = sigmoid(z)
    found = bootstrap_difference("bias", z + 0.2, z, r, resamples=200)
    assert found.b.value == pytest.approx(0, abs=1e-12)
    assert found.gain.high < 0
    ranked = bootstrap_difference("auc", z, rng.normal(size=1_000), r, resamples=50)
    assert ranked.a.value == pytest.approx(weighted_auc(z, r, 1 - r), rel=1e-12)


def test_resamples_without_a_positive_are_counted() -> None:
    rng = np.random.default_rng(11)
    label = np.arange(60) < 2
    for name in ("pcoc", "auc"):
        found = bootstrap_difference(name, rng.normal(size=60), np.zeros(60), label)
        assert 90 <= found.dropped <= 185  # 135 expected: exp(-2) of 1,000
        assert np.isfinite([found.difference.low, found.difference.high]).all()
    assert bootstrap_difference("nll", label, label, label).dropped == 0


def test_the_seed_decides() -> None:
    a, b, label = two_models(300, seed=12)
    first = bootstrap_difference("auc", a, b, label, resamples=60, seed=1)
    assert bootstrap_difference(AUC(), a, b, label, resamples=60, seed=1) == first
    assert bootstrap_difference("auc", a, b, label, resamples=60, seed=2) != first


def test_a_level_is_its_quantiles() -> None:
    a, b, label = two_models(300, seed=13)
    narrow = bootstrap_difference("nll", a, b, label, level=0.5).difference
    wide = bootstrap_difference("nll", a, b, label, level=0.99).difference
    assert wide.low < narrow.low < narrow.high < wide.high
    assert narrow.high - narrow.low == pytest.approx(2 * 0.6745 * narrow.standard_error, rel=0.15)


def test_bad_input_is_refused() -> None:
    a, b, label = two_models(50, seed=14)
    with pytest.raises(InputError, match="no metric 'accuracy'; there are: auc, nll"):
        bootstrap_difference("accuracy", a, b, label)
    with pytest.raises(InputError, match="b has 49 rows where 50"):
        bootstrap_difference("nll", a, b[:-1], label)
    with pytest.raises(InputError, match="a of seed 1 is NaN"):
        bootstrap_difference("nll", [a, a * np.nan], b, label)
    with pytest.raises(InputError, match="label lies outside"):
        bootstrap_difference("nll", a, b, label * 2)
    for resamples in (39, 0, -1):
        with pytest.raises(InputError, match="too few .* give 40 or more"):
            bootstrap_difference("nll", a, b, label, resamples=resamples)
    with pytest.raises(InputError, match="between 0 and 1"):
        bootstrap_difference("nll", a, b, label, level=1.5)
    for name in ("auc", "pcoc", "relative_bias"):
        with pytest.raises(InputError, match="50 rows have 0 positives") as caught:
            bootstrap_difference(name, a, b, np.zeros(50))
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="auc is undefined: the 50 rows have 50 positives"):
        bootstrap_difference("auc", a, b, np.ones(50))
    with pytest.raises(InputError, match="nll is undefined: the 0 rows"):
        bootstrap_difference("nll", np.zeros(0), np.zeros(0), np.zeros(0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nll", "pcoc", "auc"])
def test_coverage(name: str) -> None:
    """The interval holds the value on a very large sample about as often as it says."""
    a, b, label = two_models(1_000_000, seed=15)
    truth = bootstrap_difference(name, a, b, label, resamples=40).gain.value
    repeats = 300
    covered = 0
    for k in range(repeats):
        found = bootstrap_difference(
            name, *two_models(400, seed=100 + k), resamples=200, seed=k
        ).gain
        covered += found.low <= truth <= found.high
    assert 0.90 * repeats <= covered <= 0.985 * repeats


def test_within_groups() -> None:
    rng = np.random.default_rng(16)
    a, b, label = two_models(600, seed=16)
    group = rng.integers(0, 40, 600)
    found = bootstrap_difference("gauc", a, b, label, group=group, resamples=200)
    assert found.a.value == pytest.approx(gauc(a, label, group), rel=1e-12)
    assert found.b.value == pytest.approx(gauc(b, label, group), rel=1e-12)
    assert found.difference.low < found.difference.value < found.difference.high
    with pytest.raises(InputError, match="gauc is of groups: give the group"):
        bootstrap_difference("gauc", a, b, label)
    with pytest.raises(InputError, match="group has 599 rows where 600"):
        bootstrap_difference("gauc", a, b, label, group=group[1:])
    with pytest.raises(InputError, match="gauc is undefined"):
        bootstrap_difference("gauc", a, b, label, group=np.zeros(600, int))


def test_intervals_are_those_of_the_difference() -> None:
    a, b, label = two_models(700, seed=17)
    names = ["nll", "auc", "pcoc", "bias"]
    found = bootstrap_intervals(names, [a, b], label, resamples=100, seed=3)
    for name, one in zip(names, found, strict=True):
        wanted = bootstrap_difference(name, [a, b], b, label, resamples=100, seed=3).a
        assert one is not None
        assert (one.value, one.low, one.high) == pytest.approx(
            (wanted.value, wanted.low, wanted.high), rel=1e-10
        )


def test_an_undefined_metric_has_no_interval() -> None:
    a, _, label = two_models(50, seed=18)
    nothing = bootstrap_intervals(["pcoc", "nll", "auc"], a, 0 * label, resamples=50)
    assert nothing[0] is None and nothing[1] is not None and nothing[2] is None
    assert bootstrap_intervals(["bias"], label[:0], label[:0]) == [None]
    with pytest.raises(InputError, match="too few"):
        bootstrap_intervals(["nll"], a, label, resamples=10)


def test_whole_groups_are_drawn() -> None:
    """Standard errors of clustered rows, and of the same rows counted as independent."""
    rng = np.random.default_rng(19)
    users = 800
    group = np.sort(rng.integers(1, users + 1, 16_000))
    z = rng.normal(0, 1, users + 1)[group] - 1.5
    label = rng.random(16_000) < sigmoid(z)
    a, b = z + 0.3, np.full(16_000, -1.5)
    per_row = losses(a, label) - losses(b, label)
    total = np.bincount(group, per_row - per_row.mean())[1:]
    clustered = np.sqrt(np.square(total).sum()) / per_row.size
    plain = per_row.std() / np.sqrt(per_row.size)
    assert clustered > 1.5 * plain
    for by_group, error in ((True, clustered), (False, plain)):
        found = bootstrap_difference(
            "nll", a, b, label, group=group, by_group=by_group, resamples=2_000
        ).difference
        assert found.value == pytest.approx(per_row.mean(), rel=1e-9)
        assert found.standard_error == pytest.approx(error, rel=0.08)
    # Groups of one row are rows, to the last bit of their sums.
    alone = bootstrap_difference(
        "auc", a, b, label, group=np.arange(1, 16_001), by_group=True, resamples=50
    )
    assert alone == bootstrap_difference("auc", a, b, label, resamples=50)


@pytest.mark.parametrize("name", ["auc", "nll", "pcoc"])
def test_rows_without_a_group_are_drawn_alone(name: str) -> None:
    a, b, label = two_models(300, seed=20)
    group = np.random.default_rng(20).integers(0, 30, 300)
    apart = np.where(group == 0, 1_000 + np.arange(300), group)
    found = [
        bootstrap_difference(name, a, b, label, group=one, by_group=True, resamples=200, seed=2)
        for one in (group, apart)
    ]
    assert found[0].difference.value == pytest.approx(found[1].difference.value, rel=1e-12)
    assert found[0].difference.low == pytest.approx(found[1].difference.low, rel=1e-9)
    with pytest.raises(InputError, match="by_group draws groups: give the group"):
        bootstrap_difference("nll", a, b, label, by_group=True)
