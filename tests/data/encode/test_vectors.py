"""Moments and scaling of vectors against numpy."""

import numpy as np
import pytest

from postclick.data.encode.scaling import LARGEST_SCALED
from postclick.data.encode.vectors import VectorScaling
from postclick.data.manifest import VectorColumn
from postclick.data.numbers.moments import Moments
from postclick.data.numbers.vector_moments import VectorMoments

SIZE = 5


def vectors(rows: int, seed: int = 0) -> np.ndarray:
    """Elements of all sizes; a fifth is missing, the last element is constant."""
    rng = np.random.default_rng(seed)
    values = rng.normal([0, 1e6, -3, 1e-6, 0], [1, 1, 100, 1e-7, 0], (rows, SIZE))
    values[:, 4] = 2.5
    values[rng.random((rows, SIZE)) < 0.2] = np.nan
    return values


@pytest.mark.parametrize("cuts", [(), (1,), (3, 3, 700)])
def test_moments_are_those_of_numpy_whatever_the_chunks(cuts: tuple[int, ...]) -> None:
    values = vectors(1_000)
    moments = VectorMoments(SIZE)
    for part in np.split(values, cuts):
        moments.add(part)
    assert moments.count.tolist() == (~np.isnan(values)).sum(axis=0).tolist()
    np.testing.assert_allclose(moments.mean, np.nanmean(values, axis=0), rtol=1e-12)
    expected = np.nanstd(values, axis=0)
    np.testing.assert_allclose(moments.std[:4], expected[:4], rtol=1e-9)
    assert moments.std[4] == 1.0


def test_parts_merge_in_any_order() -> None:
    values = vectors(900, 1)
    parts = []
    for rows in np.split(values, [100, 350]):
        parts.append(VectorMoments(SIZE))
        parts[-1].add(rows)
    for order in ([0, 1, 2], [2, 0, 1]):
        merged = VectorMoments(SIZE)
        for k in order:
            merged.merge(parts[k])
        np.testing.assert_allclose(merged.mean, np.nanmean(values, axis=0), rtol=1e-12)
        np.testing.assert_allclose(merged.std[:4], np.nanstd(values, axis=0)[:4], rtol=1e-9)


def test_each_element_is_scaled_as_a_number_is() -> None:
    values = vectors(400, 2)
    moments, alone = VectorMoments(SIZE), [Moments() for _ in range(SIZE)]
    moments.add(values)
    for k, one in enumerate(alone):
        one.add(values[~np.isnan(values[:, k]), k])
    np.testing.assert_allclose(moments.mean, [one.mean for one in alone], rtol=1e-12)
    np.testing.assert_allclose(moments.std, [one.std for one in alone], rtol=1e-9)


def test_an_element_that_was_never_there() -> None:
    moments = VectorMoments(2)
    moments.add(np.array([[np.nan, 1.0], [np.nan, 3.0]]))
    assert (moments.mean.tolist(), moments.std.tolist()) == ([0.0, 2.0], [1.0, 1.0])
    empty = VectorMoments(2)
    assert (empty.mean.tolist(), empty.std.tolist()) == ([0.0, 0.0], [1.0, 1.0])


def test_scaling_is_that_of_numpy_and_missing_is_zero() -> None:
    values = vectors(50, 3)
    mean, std = np.nanmean(values, axis=0), np.nanstd(values, axis=0) + 0.5
    column = VectorColumn(name="e", size=SIZE, mean=tuple(mean), std=tuple(std))
    found = VectorScaling(column).scale(values)
    assert found.dtype == np.float32
    expected = np.nan_to_num((values - mean) / std).clip(-LARGEST_SCALED, LARGEST_SCALED)
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    as_it_is = VectorScaling(VectorColumn(name="e", size=SIZE)).scale(values)
    plain = np.nan_to_num(values).clip(-LARGEST_SCALED, LARGEST_SCALED)
    np.testing.assert_array_equal(as_it_is, plain.astype(np.float32))
