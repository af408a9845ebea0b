"""Factors: their gradient leads to a minimum, and products that data have are found."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from postclick.linear.factors import Factored, fit_factors, products
from postclick.linear.groups import Prior
from postclick.linear.posterior import fit_mode
from postclick.linear.rows import Block


def rows(n=4_000, values=8, seed=0, strength=1.5):
    """Two fields whose product alone decides, an intercept, weights."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, values, n), rng.integers(0, values, n)
    left, right = rng.normal(size=values), rng.normal(size=values)
    z = strength * left[a] * right[b]
    label = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(float)
    ids = np.stack([a, values + b], axis=1)
    x = csr_matrix((np.ones(2 * n), ids.ravel(), np.arange(0, 2 * n + 1, 2)), (n, 2 * values))
    return Block((x,), np.ones((n, 1)), label, rng.random(n) + 0.5), z


PRIOR = Prior(np.concatenate([np.full(16, 0.3), [np.inf]]))
PAIRED = np.arange(17) < 16


def test_products_are_those_of_pairs():
    block, _ = rows(50)
    v = np.random.default_rng(1).normal(size=(17, 3))
    v[16] = 0
    x = np.concatenate([block.sparse[0].toarray(), block.dense], axis=1)
    by_hand = [
        sum(x[i, j] * x[i, k] * (v[j] @ v[k]) for j in range(17) for k in range(j))
        for i in range(50)
    ]
    assert products(block, v) == pytest.approx(by_hand, rel=1e-12)


def test_what_is_found_is_a_minimum():
    block, _ = rows(600)
    found = fit_factors(
        [block], PRIOR, np.zeros(17), PAIRED, size=2, variance=0.5, seed=3, tolerance=1e-12,
        iterations=2_000,
    )  # fmt: skip

    def objective(b, v):
        return (
            Factored(b, v).losses([block]).sum()
            + 0.5 * (np.square(b[:16]) / 0.3).sum()
            + 0.5 * np.square(v).sum() / 0.5
        )

    base = objective(found.coefficients, found.factors)
    rng = np.random.default_rng(4)
    for _ in range(20):
        db, dv = rng.normal(size=17), rng.normal(size=(17, 2)) * PAIRED[:, None]
        up, down = (
            objective(found.coefficients + s * 1e-4 * db, found.factors + s * 1e-4 * dv)
            for s in (1, -1)
        )
        assert abs(up - down) / 2e-4 < 1e-2  # its slope is 0
        assert min(up, down) >= base - 1e-9
    assert not found.factors[16].any()


def test_products_in_the_data_are_found_and_noise_is_not():
    block, z = rows()
    linear = fit_mode([block], PRIOR, np.zeros(17))
    found = fit_factors([block], PRIOR, linear, PAIRED, size=2, variance=0.5, seed=0)
    assert np.corrcoef(found.logits(block), z)[0, 1] > 0.95
    assert abs(np.corrcoef(block.times(linear), z)[0, 1]) < 0.85
    none = fit_factors([block], PRIOR, linear, PAIRED, size=2, variance=1e-6, seed=0)
    assert np.abs(none.logits(block) - block.times(linear)).max() < 0.05
