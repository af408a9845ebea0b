import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss  # type: ignore[import-untyped]

from helpers.reference_metrics import decimal_losses
from postclick.logits import sigmoid
from postclick.metrics.likelihood import cross_entropy, log_complement, log_ctcvr, softplus

LOGITS = [-100.0, -30.0, -5.0, -0.3, 0.0, 1.7, 30.0, 100.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("zq", LOGITS)
@pytest.mark.parametrize("zp", LOGITS)
def test_every_digit_against_decimals(zp: float, zq: float, dtype: type) -> None:
    ctr: NDArray[Any] = np.array([zp], dtype=dtype)
    cvr: NDArray[Any] = np.array([zq], dtype=dtype)
    log_t, log_rest = log_ctcvr(ctr, cvr)
    for label in (0, 1):
        exact = decimal_losses(float(ctr[0]), float(cvr[0]), label, label)
        y = np.array([label])
        assert cross_entropy(ctr, y)[0] == pytest.approx(exact["ctr_nll"], rel=1e-14, abs=0)
        assert cross_entropy(cvr, y)[0] == pytest.approx(exact["cvr_nll"], rel=1e-14, abs=0)
        got = -(log_t if label else log_rest)[0]
        assert got == pytest.approx(exact["ctcvr_nll"], rel=1e-14, abs=0)


def test_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    z, y = rng.normal(scale=3, size=500), rng.random(500) < 0.3
    assert cross_entropy(z, y).mean() == pytest.approx(log_loss(y, sigmoid(z)), rel=1e-12, abs=0)


def test_soft_labels_are_mixtures() -> None:
    z, y = np.array([-40.0, -1.0, 0.0, 2.0, 40.0]), np.array([0.0, 0.2, 0.5, 0.9, 1.0])
    one, zero = cross_entropy(z, np.ones(5)), cross_entropy(z, np.zeros(5))
    np.testing.assert_allclose(cross_entropy(z, y), y * one + (1 - y) * zero, rtol=1e-14)


def test_complement_over_the_whole_range() -> None:
    t = np.array([1e-300, 1e-12, 0.3, 0.5, 0.500001, 0.999])
    np.testing.assert_allclose(log_complement(np.log(t)), np.log1p(-t), rtol=1e-12)
    assert log_complement(np.array([-1e-20]))[0] == pytest.approx(np.log(1e-20), rel=1e-14, abs=0)
    assert log_complement(np.array([0.0]))[0] == -np.inf


def test_extremes_stay_finite_without_warnings() -> None:
    z = np.array([-1e300, -800.0, 800.0, 1e300])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for values in (softplus(z), sigmoid(z), *log_ctcvr(z, z[::-1]), *log_ctcvr(z, z)):
            assert np.isfinite(values).all()
    assert sigmoid(z).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_same_row_same_value_wherever_it_stands() -> None:
    """Vectorised loops have tails; ties must survive them whatever the batch is cut to."""
    for length in (1, 3, 7, 8, 17, 64, 101):
        zp, zq = np.full(length, -1.234567, np.float32), np.full(length, 0.7654321, np.float32)
        for values in (*log_ctcvr(zp, zq), *log_ctcvr(zp[::2], zq[::2])):
            assert len(set(values.tolist())) == 1
        assert log_ctcvr(zp, zq)[0][0] == log_ctcvr(zp[:1], zq[:1])[0][0]


def test_no_rows() -> None:
    nothing = np.zeros(0, dtype=np.float32)
    assert cross_entropy(nothing, nothing).size == 0
    assert all(part.size == 0 for part in log_ctcvr(nothing, nothing))
