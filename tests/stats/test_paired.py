import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from helpers.reference_metrics import closed_testing
from postclick.errors import InputError
from postclick.stats import holm, paired_test, supported_best


@pytest.mark.parametrize("n", [2, 3, 5, 40])
@pytest.mark.parametrize("shift", [0.0, 0.3, -5.0])
def test_agrees_with_scipy(n: int, shift: float) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=n), rng.normal(size=n) + shift
    result, expected = paired_test(a, b), stats.ttest_rel(a, b)
    assert result.n == n
    assert result.t == pytest.approx(expected.statistic, rel=1e-12, abs=0)
    assert result.p == pytest.approx(expected.pvalue, rel=1e-10, abs=0)
    assert result.mean_difference == pytest.approx(np.mean(a - b), rel=1e-12, abs=0)
    assert result.sd == pytest.approx(np.std(a - b, ddof=1), rel=1e-12, abs=0)
    assert result.undefined is None


def test_two_sided_and_antisymmetric() -> None:
    a, b = [0.71, 0.73, 0.72, 0.75], [0.70, 0.71, 0.72, 0.71]
    forth, back = paired_test(a, b), paired_test(b, a)
    assert forth.p == back.p
    assert forth.t is not None and back.t is not None
    assert forth.t == -back.t > 0


def test_pairing_matters() -> None:
    base = np.array([0.1, 0.5, 0.9, 1.3])
    gain = base + np.array([0.01, 0.012, 0.009, 0.011])
    paired, shuffled = paired_test(gain, base), paired_test(gain, base[::-1])
    assert paired.p is not None and shuffled.p is not None
    assert paired.p < 0.01 < 0.5 < shuffled.p


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_pairs_have_no_p(n: int) -> None:
    result = paired_test([0.7] * n, [0.6] * n)
    assert (result.n, result.p, result.t, result.sd) == (n, None, None, None)
    assert result.undefined is not None and "2 pairs or more" in result.undefined
    assert result.mean_difference == (pytest.approx(0.1) if n else None)


def test_identical_values_are_no_evidence() -> None:
    result = paired_test([0.7, 0.8, 0.9], [0.7, 0.8, 0.9])
    assert (result.mean_difference, result.sd, result.t, result.p) == (0.0, 0.0, 0.0, 1.0)
    assert paired_test([0.0, 0.0], [0.0, 0.0]).p == 1.0
    # 0.1 + 0.2 is not 0.3 in floats, but that difference is rounding, not a finding.
    assert paired_test([0.1 + 0.2, 0.5], [0.3, 0.5]).p == 1.0


@pytest.mark.parametrize("n", [2, 7])
def test_a_constant_difference_is_not_certainty(n: int) -> None:
    b = np.linspace(0.1, 0.9, n)
    result = paired_test(b + 0.1, b)  # the differences differ in their last bits
    assert result.p is None and result.t is None and result.sd == 0.0
    assert result.mean_difference == pytest.approx(0.1)
    assert result.undefined is not None and f"same in all {n} pairs" in result.undefined


def test_distances_to_a_target_are_rounded_at_the_target() -> None:
    values = {"near": [0.969, 0.993, 0.93], "far": [1.051, 1.027, 1.09]}
    distances = [[abs(v - 1) for v in one] for one in values.values()]
    assert len({b - a for a, b in zip(*distances, strict=True)}) > 1  # .02, rounded differently
    assert supported_best(values, "cvr_pcoc") is None  # the same distance in every pair


def test_small_but_real_spread_is_tested() -> None:
    result = paired_test([0.7 + 1e-9, 0.7 + 2e-9, 0.7 + 3e-9], [0.7, 0.7, 0.7])
    assert result.p == pytest.approx(stats.ttest_1samp([1.0, 2.0, 3.0], 0.0).pvalue, rel=1e-5)


def test_bad_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="b has 1 rows where 2"):
        paired_test([0.1, 0.2], [0.1])
    with pytest.raises(InputError, match="a is NaN or infinite"):
        paired_test([0.1, math.nan], [0.1, 0.2])


def test_rejects_at_its_level_under_no_difference() -> None:
    rng = np.random.default_rng(11)
    p = [paired_test(rng.normal(size=5), rng.normal(size=5)).p for _ in range(2000)]
    rejected = sum(value is not None and value < 0.05 for value in p)
    assert 65 <= rejected <= 135  # 100 expected, sd 9.7


@given(st.lists(st.floats(0, 1), max_size=6))
@settings(deadline=None)
def test_holm_is_closed_bonferroni(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(closed_testing(p_values), rel=1e-14, abs=0)


def test_holm_by_hand() -> None:
    assert holm([]) == []
    assert holm([0.04]) == [0.04]
    assert holm([0.01, 0.02, 0.03, 0.005]) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    for bad in (-0.1, 1.1, math.nan):
        with pytest.raises(InputError, match="not a p-value"):
            holm([0.5, bad])


NOISE = np.array([0.003, -0.001, 0.002, -0.004, 0.0])


def series(mean: float, turn: int = 0) -> list[float]:
    return [float(x) for x in mean + np.roll(NOISE, turn)]


def test_best_follows_the_direction() -> None:
    values = {"low": series(0.60), "mid": series(0.70, 1), "high": series(0.80, 2)}
    assert supported_best(values, "cvr_auc") == "high"
    assert supported_best(values, "cvr_nll") == "low"


def test_targets_are_approached_from_both_sides() -> None:
    values = {"under": series(0.8), "near": series(1.05, 1), "over": series(1.4, 2)}
    assert supported_best(values, "cvr_pcoc") == "near"
    bias = {"under": series(-0.3), "near": series(0.1, 1), "over": series(0.2, 2)}
    assert supported_best(bias, "cvr_bias") == "near"


def test_distance_is_averaged_not_the_signed_value() -> None:
    """Errors of both signs average to the target; that must not make a winner."""
    wild = [0.5, 1.5, 0.52, 1.48, 1.0]
    assert np.mean(wild) == pytest.approx(1.0)
    assert supported_best({"wild": wild, "steady": series(1.1)}, "cvr_pcoc") != "wild"


def test_must_beat_every_other() -> None:
    close = {"a": series(0.70), "b": series(0.701, 2), "c": series(0.5, 3)}
    assert supported_best(close, "cvr_auc") is None
    assert supported_best({name: close[name] for name in ("b", "c")}, "cvr_auc") == "b"


def test_holm_is_applied() -> None:
    """One gap with p between .025 and .05: enough against one rival, not against two like it."""
    rng = np.random.default_rng(1)
    base = rng.normal(size=5)
    gap = np.array([0.3, 1.0, 1.6, 0.15, 0.9])
    p = paired_test(base + gap, base).p
    assert p is not None and 0.025 < p < 0.05
    best, rival = (base + gap).tolist(), base.tolist()
    assert supported_best({"best": best, "rival": rival}, "cvr_auc") == "best"
    assert supported_best({"best": best, "r1": rival, "r2": rival}, "cvr_auc") is None


def test_no_winner_without_evidence() -> None:
    assert supported_best({}, "cvr_auc") is None
    assert supported_best({"only": series(0.7)}, "cvr_auc") is None
    assert supported_best({"a": [0.9], "b": [0.1]}, "cvr_auc") is None
    assert supported_best({"a": [], "b": []}, "cvr_auc") is None
    assert supported_best({"a": series(0.7), "b": series(0.7)}, "cvr_auc") is None
    assert supported_best({"a": [0.9, 0.9, 0.9], "b": [0.1, 0.1, 0.1]}, "cvr_auc") is None


def test_bad_comparisons_are_refused() -> None:
    with pytest.raises(InputError, match=r"a 2, b 3"):
        supported_best({"a": [0.1, 0.2], "b": [0.1, 0.2, 0.3]}, "cvr_auc")
    with pytest.raises(InputError, match="no metric 'auc'"):
        supported_best({"a": [0.1, 0.2], "b": [0.1, 0.2]}, "auc")
    with pytest.raises(InputError, match="cvr_auc of b is NaN or infinite on 1 of 2"):
        supported_best({"a": [0.1, 0.2], "b": [0.1, math.nan]}, "cvr_auc")
