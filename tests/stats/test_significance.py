"""The tests over seeds against scipy's and against enumeration."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from postclick.errors import InputError
from postclick.stats import (
    Significance,
    holm,
    significance,
    supported_best,
    welch_test,
    wilcoxon_test,
)


@pytest.mark.parametrize("n", [2, 3, 5, 8, 12, 40])
def test_wilcoxon_agrees_with_scipy(n: int) -> None:
    rng = np.random.default_rng(n)
    for shift in (0.0, 0.5, -3.0):
        a, b = rng.normal(size=n) + shift, rng.normal(size=n)
        found, expected = wilcoxon_test(a, b), stats.wilcoxon(a, b, method="exact")
        assert found.p == pytest.approx(expected.pvalue, rel=1e-12)
        assert found.rank_sum == expected.statistic
        assert (found.n, found.least_p) == (n, 2.0 ** (1 - n))


def by_enumeration(difference: list[int]) -> float:
    """All signs of the ranks of the differences that are not 0."""
    kept = [d for d in difference if d]
    ranks = stats.rankdata(np.abs(kept))
    middle = ranks.sum() / 2
    seen = abs(ranks[np.array(kept) > 0].sum() - middle)
    sums = [np.dot(signs, ranks) for signs in product((0, 1), repeat=len(kept))]
    return float(np.mean([abs(s - middle) >= seen - 1e-9 for s in sums]))


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=9).filter(any))
def test_wilcoxon_is_exact_with_ties_and_zeros(difference: list[int]) -> None:
    found = wilcoxon_test(difference, [0] * len(difference))
    assert found.p == pytest.approx(by_enumeration(difference), rel=1e-12)
    assert found.n == sum(d != 0 for d in difference)
    assert found.least_p is not None and found.p is not None
    assert found.least_p <= found.p + 1e-12


def test_wilcoxon_ties_are_ties_up_to_rounding() -> None:
    """.1, .1 and -.1 as differences of decimals, which floats hold as three different sizes."""
    a, b = [0.3, 0.8, 0.6], [0.2, 0.7, 0.7]
    assert len({abs(x - y) for x, y in zip(a, b, strict=True)}) > 1
    found = wilcoxon_test(a, b)
    assert found.rank_sum == 2.0  # mid-ranks 2, 2, 2
    assert found.p == by_enumeration([1, 1, -1])
    nearly = wilcoxon_test([0.1 + 0.2, 0.5, 0.6], [0.3, 0.4, 0.4])
    assert nearly.n == 2  # .1 + .2 is .3: no difference


def test_five_seeds_can_not_reach_five_percent() -> None:
    found = wilcoxon_test([1.0, 2.0, 3.0, 4.0, 5.0], np.zeros(5))
    assert found.p == found.least_p == 0.0625
    six = wilcoxon_test(np.arange(1.0, 7.0), np.zeros(6))
    assert six.p == 0.03125


@pytest.mark.parametrize("n", [0, 1])
def test_wilcoxon_needs_two_pairs(n: int) -> None:
    found = wilcoxon_test([0.7] * n, [0.6] * n)
    assert (found.p, found.rank_sum, found.least_p) == (None, None, None)
    assert found.undefined is not None and "2 pairs or more" in found.undefined


def test_wilcoxon_without_a_difference() -> None:
    found = wilcoxon_test([0.1 + 0.2, 0.5, 0.7], [0.3, 0.5, 0.7])
    assert (found.n, found.p) == (0, None)
    assert found.undefined == "no difference in any of 3 pairs: nothing to rank"


def test_welch_agrees_with_scipy() -> None:
    rng = np.random.default_rng(2)
    for n, m in ((2, 2), (5, 5), (4, 9)):
        a, b = rng.normal(size=n), 3 * rng.normal(size=m) + 1
        found, expected = welch_test(a, b), stats.ttest_ind(a, b, equal_var=False)
        assert found.t == pytest.approx(expected.statistic, rel=1e-12)
        assert found.df == pytest.approx(expected.df, rel=1e-12)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-10)


def test_welch_without_spread_or_values() -> None:
    assert welch_test([0.3, 0.3], [0.3, 0.3]).p == 1.0
    assert welch_test([0.3, 0.3], [0.1 + 0.2, 0.3]).p == 1.0
    apart = welch_test([0.3, 0.3], [0.4, 0.4])
    assert apart.p is None and apart.undefined is not None and "no spread" in apart.undefined
    one_side = welch_test([0.3, 0.3, 0.3], [0.4, 0.5, 0.4])  # then it is a one-sample test
    expected = stats.ttest_1samp([0.4, 0.5, 0.4], 0.3)
    assert (one_side.df, one_side.p) == pytest.approx((2.0, expected.pvalue), rel=1e-10)
    few = welch_test([0.3], [0.4, 0.5])
    assert few.p is None and few.undefined is not None and "there are 1 and 2" in few.undefined


SEEDS = {
    "esmm": [0.62, 0.63, 0.61, 0.625, 0.60],
    "evi": [0.66, 0.68, 0.65, 0.67, 0.665],
    "naive": [0.60, 0.64, 0.61, 0.62, 0.59],
}


def of(found: tuple[Significance, ...], method: str) -> Significance:
    return next(one for one in found if one.method == method)


def test_against_a_reference_by_scipy() -> None:
    found = significance(SEEDS, "cvr_auc", against="esmm", level=0.9)
    assert [one.method for one in found] == ["evi", "naive"]
    for one in found:
        expected = stats.ttest_rel(SEEDS[one.method], SEEDS["esmm"])
        difference = np.subtract(SEEDS[one.method], SEEDS["esmm"])
        interval = expected.confidence_interval(0.9)
        assert (one.against, one.seeds, one.metric, one.level) == ("esmm", 5, "cvr_auc", 0.9)
        assert one.gain == pytest.approx(difference.mean(), rel=1e-12)
        assert (one.low, one.high) == pytest.approx((interval.low, interval.high), rel=1e-10)
        assert one.effect_size == pytest.approx(difference.mean() / difference.std(ddof=1))
        assert one.paired.p == pytest.approx(expected.pvalue, rel=1e-10)
        exact = stats.wilcoxon(difference, method=stats.PermutationMethod(n_resamples=np.inf))
        assert one.wilcoxon.p == pytest.approx(exact.pvalue, rel=1e-12)
        welch = stats.ttest_ind(SEEDS[one.method], SEEDS["esmm"], equal_var=False)
        assert one.welch.p == pytest.approx(welch.pvalue, rel=1e-10)
    for name in ("paired", "wilcoxon", "welch"):
        p_values = [getattr(one, name).p for one in found]
        assert [getattr(one, f"{name}_holm") for one in found] == holm(p_values)


def test_the_reference_defaults_to_the_best() -> None:
    found = significance(SEEDS, "cvr_auc")
    assert {one.against for one in found} == {"evi"}
    assert all(one.gain is not None and one.gain < 0 for one in found)
    assert {one.against for one in significance(SEEDS, "cvr_nll")} == {"naive"}


def test_gain_follows_the_direction() -> None:
    auc = of(significance(SEEDS, "cvr_auc", against="esmm"), "evi")
    nll = of(significance(SEEDS, "cvr_nll", against="esmm"), "evi")
    assert auc.gain is not None and auc.gain > 0 and nll.gain == -auc.gain
    pcoc = {"under": [0.8, 0.82, 0.79], "over": [1.1, 1.12, 1.05]}
    (one,) = significance(pcoc, "cvr_pcoc", against="under")
    assert one.gain == pytest.approx(np.mean([0.1, 0.06, 0.16]))


NUMBERS = st.sampled_from([0.60, 0.61, 0.612, 0.62, 0.70, 0.71, 0.713])


@given(
    st.lists(st.lists(NUMBERS, min_size=4, max_size=4), min_size=2, max_size=4),
    st.sampled_from(["cvr_auc", "cvr_nll", "cvr_pcoc"]),
)
def test_winners_are_those_of_supported_best(series: list[list[float]], metric: str) -> None:
    values = {f"m{k}": one for k, one in enumerate(series)}
    found = significance(values, metric)
    wins = all(one.paired_holm is not None and one.paired_holm < 0.05 for one in found)
    assert supported_best(values, metric) == (found[0].against if wins else None)


def test_a_test_without_p_counts_in_the_family() -> None:
    values = {"base": [0.1, 0.2, 0.4], "const": [0.2, 0.3, 0.5], "real": [0.31, 0.42, 0.6]}
    found = significance(values, "cvr_auc", against="base")
    const, real = of(found, "const"), of(found, "real")
    assert const.paired.p is None and const.paired_holm is None
    assert (const.low, const.high, const.effect_size) == (None, None, None)
    assert const.gain == pytest.approx(0.1)
    assert real.paired.p is not None
    assert real.paired_holm == pytest.approx(2 * real.paired.p)


def test_equal_methods() -> None:
    (one,) = significance({"a": [0.6, 0.7], "b": [0.6, 0.7]}, "cvr_auc")
    assert (one.gain, one.paired.p, one.paired_holm, one.welch_holm) == (0.0, 1.0, 1.0, 1.0)
    assert (one.wilcoxon.p, one.wilcoxon_holm, one.effect_size, one.low) == (None,) * 4


def test_few_seeds_and_few_methods() -> None:
    assert significance({}, "cvr_auc") == ()
    assert significance({"only": [0.7, 0.6]}, "cvr_auc") == ()
    (none,) = significance({"a": [], "b": []}, "cvr_auc")
    assert (none.seeds, none.gain, none.paired.p, none.welch.p) == (0, None, None, None)
    (one,) = significance({"a": [0.7], "b": [0.6]}, "cvr_auc")
    assert (one.against, one.gain, one.low) == ("a", pytest.approx(-0.1), None)
    assert (one.paired_holm, one.wilcoxon_holm, one.welch_holm) == (None, None, None)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="no method 'dcmt' to test against: esmm, evi, naive"):
        significance(SEEDS, "cvr_auc", against="dcmt")
    with pytest.raises(InputError, match="no metric 'auc'"):
        significance(SEEDS, "auc")
    with pytest.raises(InputError, match="a 2, b 1"):
        significance({"a": [0.1, 0.2], "b": [0.1]}, "cvr_auc")
    with pytest.raises(InputError, match="cvr_auc of b is NaN"):
        significance({"a": [0.1], "b": [np.nan]}, "cvr_auc")
    with pytest.raises(InputError, match="between 0 and 1"):
        significance(SEEDS, "cvr_auc", level=95)
    with pytest.raises(InputError, match="b has 1 rows where 2"):
        wilcoxon_test([0.1, 0.2], [0.1])


@pytest.mark.slow
def test_sizes_and_coverage_under_noise() -> None:
    rng = np.random.default_rng(17)
    repeats = 4_000
    rejected = {"paired": 0, "wilcoxon": 0, "welch": 0}
    covered = 0
    for _ in range(repeats):
        shared = rng.normal(size=8)
        values = {"a": shared + rng.normal(size=8), "b": shared + rng.normal(size=8)}
        (one,) = significance(values, "cvr_nll", against="a")
        for name in rejected:
            p = getattr(one, f"{name}_holm")
            rejected[name] += p is not None and p < 0.05
        assert one.low is not None and one.high is not None
        covered += one.low <= 0 <= one.high
    assert 145 <= rejected["paired"] <= 255  # 200 expected, sd 13.8
    assert 105 <= rejected["wilcoxon"] <= 210  # exact size .0391: 156 expected
    assert rejected["welch"] < 120  # ignores the shared part of the seeds: conservative
    assert covered == repeats - rejected["paired"]


def test_the_best_of_equals_is_marked_by_winning_all() -> None:
    """What the docs say of a reference chosen by the data: some single test is easily below 5 %."""
    rng = np.random.default_rng(18)
    single = winners = 0
    for _ in range(600):
        values = {f"m{k}": rng.normal(size=5).tolist() for k in range(5)}
        found = significance(values, "cvr_nll")
        single += any(one.paired_holm is not None and one.paired_holm < 0.05 for one in found)
        winners += supported_best(values, "cvr_nll") is not None
    assert winners <= 5
    assert 30 <= single <= 70  # 47 expected
