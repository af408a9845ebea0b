from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]
from torchmetrics.functional.classification import binary_auroc

from helpers.reference_metrics import brute_auc
from postclick.errors import InputError
from postclick.metrics import auc, weighted_auc

SCORES = {
    "random": lambda rng, n: rng.normal(size=n),
    "float32": lambda rng, n: rng.normal(size=n).astype(np.float32),
    "float16, many ties": lambda rng, n: rng.normal(size=n).astype(np.float16),
    "integers": lambda rng, n: rng.integers(-3, 4, size=n),
    "two values": lambda rng, n: rng.choice([-1.5, 2.5], size=n),
    "huge logits": lambda rng, n: rng.choice([-100.0, -30.0, 30.0, 100.0], size=n),
    "near ties": lambda rng, n: np.nextafter(
        np.float32(1.0), rng.choice([0, 2], size=n).astype(np.float32), dtype=np.float32
    ),
    "denormals": lambda rng, n: rng.integers(0, 9, size=n) * 5e-324,
    "signed zeros": lambda rng, n: rng.choice([-0.0, 0.0, 1e-45], size=n).astype(np.float32),
}


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize("rate", [0.03, 0.5, 0.97])
def test_agrees_with_scikit_learn(kind: str, rate: float) -> None:
    rng = np.random.default_rng(7)
    score = SCORES[kind](rng, 3000)
    label = rng.random(3000) < rate
    # sklearn works in its own precision on float16: hand it the exact wider values.
    expected = roc_auc_score(label, score.astype(np.float64))
    assert auc(score, label) == pytest.approx(expected, abs=1e-12)
    assert weighted_auc(score, label, ~label) == pytest.approx(expected, abs=1e-12)


def test_agrees_with_torchmetrics() -> None:
    rng = np.random.default_rng(8)
    score = rng.normal(size=2000).astype(np.float32).round(1)
    label = rng.random(2000) < 0.2
    second = binary_auroc(torch.sigmoid(torch.from_numpy(score)), torch.from_numpy(label).long())
    assert auc(score, label) == pytest.approx(float(second), abs=1e-6)


ROWS = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        hnp.arrays(
            np.float32,
            n,
            elements=st.floats(allow_nan=False, width=32) | st.sampled_from([-0.0, 0.0, 1.0]),
        ),
        hnp.arrays(np.float64, n, elements=st.floats(0, 1)),
        hnp.arrays(np.float64, n, elements=st.floats(0, 1)),
    )
)


@given(ROWS)
@settings(deadline=None)
def test_agrees_with_all_pairs(rows: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]) -> None:
    score, positive, negative = rows
    label = positive > 0.5
    expected = brute_auc(score, label, ~label)
    assert auc(score, label) == (None if expected is None else pytest.approx(expected, abs=1e-14))
    # Products of denormal masses vanish in the brute force, not here: keep them apart.
    positive, negative = positive.round(6), negative.round(6)
    expected = brute_auc(score, positive, negative)
    got = weighted_auc(score, positive, negative)
    assert got == (None if expected is None else pytest.approx(expected, abs=1e-12))


@given(ROWS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_of_rows_changes_no_bit(
    rows: tuple[NDArray[Any], NDArray[Any], NDArray[Any]], random: Any
) -> None:
    score, positive, negative = rows
    order = np.array(random.sample(range(len(score)), len(score)))
    assert auc(score, positive > 0.5) == auc(score[order], positive[order] > 0.5)
    assert weighted_auc(score, positive, negative) == weighted_auc(
        score[order], positive[order], negative[order]
    )


@pytest.mark.parametrize("size", [1000, 20_011])
def test_order_of_many_tied_rows_changes_no_bit(size: int) -> None:
    rng = np.random.default_rng(3)
    score, mass = rng.normal(size=size).round(1), rng.random(size)
    first = weighted_auc(score, mass, 1 - mass)
    for _ in range(5):
        order = rng.permutation(size)
        assert weighted_auc(score[order], mass[order], 1 - mass[order]) == first


def test_expected_over_draws() -> None:
    rng = np.random.default_rng(5)
    score = rng.normal(size=2000)
    r = 1 / (1 + np.exp(1.5 - score - rng.normal(size=2000)))
    draws = np.array([auc(score, rng.random(2000) < r) for _ in range(200)], dtype=float)
    expected = weighted_auc(score, r, 1 - r)
    assert expected is not None
    spread = draws.std() / np.sqrt(200)
    assert abs(draws.mean() - expected) < 4 * spread + 1 / 2000


def test_ties_infinities_and_zeros() -> None:
    assert auc(np.zeros(7, np.float32), [1, 0, 0, 0, 1, 0, 0]) == 0.5
    assert weighted_auc(np.zeros(3), [0.1, 0.2, 0.3], [0.3, 0.3, 0.1]) == 0.5
    assert auc(np.array([-0.0, 0.0], np.float32), [1, 0]) == 0.5
    assert auc([np.inf, -np.inf], [1, 0]) == 1.0
    assert auc([np.inf, np.inf, -np.inf], [1, 0, 0]) == 0.75
    assert auc([True, False], [1, 0]) == 1.0


def test_floats_that_differ_only_in_the_last_bit_are_no_tie() -> None:
    low = np.float32(20.0)
    high = np.nextafter(low, np.float32(21), dtype=np.float32)
    assert auc(np.array([low, high]), [0, 1]) == 1.0
    wide = np.nextafter(1.0, 2.0)
    assert np.float32(wide) == 1.0
    assert auc(np.array([1.0, wide]), [0, 1]) == 1.0


def test_tiny_and_huge_masses() -> None:
    score = np.array([1.0, 2.0, 3.0])
    assert weighted_auc(score, [0.0, 5e-324, 0.0], [5e-324, 0.0, 5e-324]) == 0.5
    assert weighted_auc(score, [0.0, 1e308, 1e308], [1e308, 0.0, 0.0]) == 1.0


@pytest.mark.parametrize("label", [[1, 1, 1], [0, 0, 0]])
def test_one_class_is_undefined(label: list[int]) -> None:
    assert auc([1.0, 2.0, 3.0], label) is None
    mass = np.array(label, dtype=float)
    assert weighted_auc([1.0, 2.0, 3.0], mass, 1 - mass) is None


def test_single_row_and_no_row() -> None:
    assert auc([0.3], [1]) is None
    assert auc([], []) is None
    assert weighted_auc([], [], []) is None
    assert weighted_auc([0.3], [0.2], [0.8]) == 0.5


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("label", [[1, 0, 1], [1, 1, 1]])
def test_nan_scores_are_refused(dtype: type, label: list[int]) -> None:
    score: NDArray[Any] = np.array([0.1, np.nan, 0.2], dtype=dtype)
    with pytest.raises(InputError, match="NaN on 1 of 3 rows"):
        auc(score, label)
    with pytest.raises(InputError, match="NaN on 1 of 3 rows"):
        weighted_auc(score, label, [1, 1, 1])


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="neither 0 nor 1 on 1 of 2"):
        auc([0.1, 0.2], [0, 2])
    with pytest.raises(InputError, match="labels has 1 rows where 2"):
        auc([0.1, 0.2], [0])
    with pytest.raises(InputError, match="positive_mass lies outside"):
        weighted_auc([0.1, 0.2], [0.5, -0.1], [0.5, 0.5])
    with pytest.raises(InputError, match="negative_mass is NaN"):
        weighted_auc([0.1, 0.2], [0.5, 0.1], [0.5, np.nan])


def test_input_is_left_alone() -> None:
    score, label = np.array([3.0, 1.0, 2.0]), np.array([1.0, 0.0, 0.0])
    auc(score, label)
    weighted_auc(score, label, 1 - label)
    assert score.tolist() == [3.0, 1.0, 2.0]
    assert label.tolist() == [1.0, 0.0, 0.0]
