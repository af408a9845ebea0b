"""Estimated variances: those that data were drawn with, 0 where a field says nothing."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from postclick.linear.groups import Groups, Prior
from postclick.linear.posterior import fit_mode
from postclick.linear.rows import Block
from postclick.linear.standard_error import standard_error
from postclick.linear.variances import SMALLEST, estimate_variances


def drawn(variances, values=200, rows=40_000, seed=0):
    """Rows of fields whose coefficients have these variances, and their groups."""
    rng = np.random.default_rng(seed)
    fields = len(variances)
    ids = rng.integers(0, values, (rows, fields)) + np.arange(fields) * values
    true = np.concatenate([rng.normal(0, np.sqrt(v), values) for v in variances])
    z = true[ids].sum(1) - 1
    label = (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(float)
    ends = np.arange(0, rows * fields + 1, fields)
    x = csr_matrix((np.ones(rows * fields), ids.ravel(), ends), (rows, fields * values))
    of = np.concatenate([np.repeat(np.arange(fields), values), [-1]])
    groups = Groups(of, np.where(of < 0, np.inf, 0.0), fields)
    return [Block((x,), np.ones((rows, 1)), label)], groups


def test_variances_that_data_were_drawn_with_are_found():
    blocks, groups = drawn([1.0, 0.2, 0.0])
    found = estimate_variances(blocks, groups, np.zeros(601)).variances
    assert found[0] == pytest.approx(1.0, rel=0.25)
    assert found[1] == pytest.approx(0.2, rel=0.3)
    assert found[2] < 0.01


def test_a_field_that_no_row_has_keeps_its_variance():
    blocks, groups = drawn([0.5], rows=3_000)
    wider = Groups(
        np.concatenate([groups.of[:-1], np.ones(5, np.int64), [-1]]),
        np.concatenate([np.zeros(205), [np.inf]]),
        2,
    )
    block = blocks[0]
    x = csr_matrix((block.sparse[0].data, block.sparse[0].indices, block.sparse[0].indptr))
    x.resize((len(block), 205))
    found = estimate_variances([Block((x,), block.dense, block.label)], wider, np.zeros(206))
    assert found.variances[1] == pytest.approx(0.1)
    assert not found.coefficients[200:205].any()
    assert found.variances[0] >= SMALLEST


def test_the_standard_error_is_the_root_of_the_inverse_hessian():
    blocks, _ = drawn([0.5], values=30, rows=2_000)
    prior = Prior(np.concatenate([np.full(30, 0.5), [np.inf]]))
    mode = fit_mode(blocks, prior, np.zeros(31))
    x = np.concatenate([blocks[0].sparse[0].toarray(), blocks[0].dense], axis=1)
    p = 1 / (1 + np.exp(-x @ mode))
    hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(prior.precision)
    inverse = np.linalg.inv(hessian)
    for column in (0, 7, 30):
        found = standard_error(blocks, prior, mode, column)
        assert found == pytest.approx(np.sqrt(inverse[column, column]), rel=1e-6)


def test_a_held_coefficient_has_no_standard_error():
    blocks, _ = drawn([0.5], values=3, rows=50)
    with pytest.raises(ValueError, match="held at 0"):
        standard_error(blocks, Prior(np.array([0.0, 1, 1, 1])), np.zeros(4), 0)
