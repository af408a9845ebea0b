import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postclick.errors import InputError
from postclick.metrics.propensity import LOWEST, effective_sample_size, overlap_histogram

PCTR = st.one_of(st.floats(0, 1), st.floats(-12, 0).map(lambda power: 10.0**power))


@given(st.lists(st.tuples(PCTR, st.booleans()), min_size=1, max_size=60), st.integers(1, 50))
def test_each_row_is_in_the_bin_that_holds_it(rows: list[tuple[float, bool]], bins: int) -> None:
    pctr, click = (np.array(column) for column in zip(*rows, strict=True))
    found = overlap_histogram(pctr, click, bins)
    place = np.log10(np.maximum(pctr, LOWEST))
    assert found.edges.size == bins + 1 and (np.diff(found.edges) > 0).all()
    assert found.edges[0] <= place.min() and place.max() <= found.edges[-1]
    for share, half in ((found.clicked, click), (found.unclicked, ~click)):
        assert share.shape == (bins,) and (share >= 0).all()
        assert share.sum() == pytest.approx(1.0 if half.any() else 0.0)
        below = [(place[half] < edge).sum() / max(half.sum(), 1) for edge in found.edges[1:-1]]
        # One row may lie on a bound but for rounding.
        on = [
            (np.abs(place[half] - e) < 1e-9).sum() / max(half.sum(), 1) for e in found.edges[1:-1]
        ]
        gap = np.abs(np.cumsum(share)[:-1] - below)
        assert (gap <= np.array(on) + 1e-12).all()
    assert found.clip_share is None


def test_by_hand() -> None:
    pctr = [0.0, 1e-9, 1e-8, 1e-6, 1e-4, 1e-4, 1e-2, 1.0]
    found = overlap_histogram(pctr, [0, 0, 0, 1, 0, 1, 1, 1], 4, clip=(1e-4, 0.9))
    assert found.edges.tolist() == [-8, -6, -4, -2, 0]
    assert found.clicked.tolist() == [0, 0.25, 0.25, 0.5]
    assert found.unclicked.tolist() == [0.75, 0, 0.25, 0]
    assert found.clip_share == 5 / 8, "on the bound is not clipped"


def test_a_click_model_without_information_overlaps_fully() -> None:
    rng = np.random.default_rng(2)
    blind = overlap_histogram(10 ** rng.uniform(-4, 0, 40_000), rng.random(40_000) < 0.5, 10)
    assert np.abs(blind.clicked - blind.unclicked).sum() < 0.05
    pctr = 10 ** rng.uniform(-4, 0, 40_000)
    sharp = overlap_histogram(pctr, rng.random(40_000) < pctr, 10)
    assert np.abs(sharp.clicked - sharp.unclicked).sum() > 1.0
    assert (np.diff(sharp.clicked[5:]) > 0).all()


def test_one_value_for_all() -> None:
    found = overlap_histogram(np.full(5, 0.1, np.float32), [0, 0, 0, 0, 0], 3)
    assert found.unclicked.tolist() == [0, 1, 0] and found.clicked.tolist() == [0, 0, 0]
    assert found.edges.tolist() == pytest.approx([-1.5, -7 / 6, -5 / 6, -0.5])


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=40), st.floats(1e-200, 1e200))
def test_effective_sample_size_is_between_1_and_n_on_any_scale(w: list[float], by: float) -> None:
    weights = np.array(w)
    weights[weights < 1e-3] = 0.0
    size = effective_sample_size(weights)
    positive = int(np.count_nonzero(weights))
    assert (size == 0) if not positive else (1 - 1e-9 <= size <= positive * (1 + 1e-9))
    assert effective_sample_size(weights * by) == pytest.approx(size, rel=1e-9)


def test_effective_sample_size_is_what_the_variance_of_a_weighted_mean_says() -> None:
    rng = np.random.default_rng(0)
    w = rng.exponential(size=200)
    means = rng.normal(size=(20_000, 200)) @ (w / w.sum())
    assert effective_sample_size(w) == pytest.approx(1 / means.var(), rel=0.04)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1, 1.1], [0, 1]), "pctr lies outside"),
        (([0.1, math.nan], [0, 1]), "pctr is NaN"),
        (([0.1], [2]), "click is neither"),
        (([], []), "no rows"),
        (([0.1], [0], 0), "0 bins"),
    ],
)
def test_bad_histograms_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        overlap_histogram(*arguments)


def test_bad_weights_are_refused() -> None:
    assert effective_sample_size([]) == 0.0
    with pytest.raises(InputError, match="weights lies outside"):
        effective_sample_size([1.0, -1.0])
    with pytest.raises(InputError, match="weights is NaN or infinite"):
        effective_sample_size([1.0, math.inf])
