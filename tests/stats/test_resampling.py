"""Resampled values from the weights themselves, and the weights from their distribution."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from helpers.two_models import sigmoid, two_models
from postclick.metrics import PCOC, Rows
from postclick.stats import resampling
from postclick.stats.resampling import Units, resampled

Array = NDArray[Any]


def test_weights_are_poisson() -> None:
    out = np.empty((100, 2_000))
    resampling._draw(np.random.default_rng(0), out)
    counts = np.bincount(out.astype(int).ravel(), minlength=12)
    expected = stats.poisson.pmf(np.arange(12), 1.0) * out.size
    np.testing.assert_allclose(counts[:5], expected[:5], rtol=0.05)
    assert abs(out.mean() - 1) < 4 / np.sqrt(out.size)
    # The table behind them, without the noise of drawing.
    assert resampling._WEIGHTS.mean() == pytest.approx(1.0, abs=1e-4)
    assert resampling._WEIGHTS.var() == pytest.approx(1.0, abs=1e-4)
    assert abs(np.corrcoef(out[0], out[1])[0, 1]) < 0.1


def test_resampled_sums_are_recomputed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each resample's value from the weights themselves, across the edges of the pieces."""
    a, b, label = two_models(500, seed=5)
    monkeypatch.setattr(resampling, "_CHUNK", 50 * 130)
    (values,) = resampled([PCOC()], [Rows(label, a), Rows(label, b)], Units(500), 50, seed=6)
    rng, pieces = np.random.default_rng(6), []
    for size in (130, 130, 130, 110):
        pieces.append(np.empty((50, size)))
        resampling._draw(rng, pieces[-1])
    weights = np.concatenate([np.ones((1, 500)), np.concatenate(pieces, axis=1)])
    for column, z in enumerate((a, b)):
        for k in range(51):
            expected = (weights[k] * sigmoid(z)).sum() / weights[k][label].sum()
            assert values[k, column] == pytest.approx(expected, rel=1e-10)


def test_groups_are_drawn_as_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each resample from the weights of the groups themselves, across the edges of the pieces."""
    a, _, label = two_models(500, seed=21)
    group = np.random.default_rng(21).integers(1, 90, 500)
    monkeypatch.setattr(resampling, "_CHUNK", 50 * 40)
    monkeypatch.setattr(resampling, "_ROWS", 130)
    units = Units(500, group)
    (values,) = resampled([PCOC()], [Rows(label, a)], units, 50, seed=6)
    rng, drawn = np.random.default_rng(6), []
    for start in range(0, units.count, 40):
        drawn.append(np.empty((50, min(40, units.count - start))))
        resampling._draw(rng, drawn[-1])
    weights = np.concatenate(drawn, axis=1)[:, np.unique(group, return_inverse=True)[1]]
    for k in range(50):
        expected = (weights[k] * sigmoid(a)).sum() / weights[k][label].sum()
        assert values[1 + k, 0] == pytest.approx(expected, rel=1e-10)
