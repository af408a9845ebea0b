"""Probabilities from logits, with what corrects them."""

import numpy as np
import pytest

from postclick.calibration.probabilities import ServingCorrections
from postclick.data.encode.encoder import scale
from postclick.data.lookup.numeric_scaling import NumericScaling
from postclick.data.manifest import NumericColumn

CTR, CVR = np.array([-2.0, 0.5], np.float32), np.array([-1.0, 3.0], np.float32)


def probability(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit.astype(np.float64)))


def test_scores_are_probabilities_in_float32() -> None:
    scores = ServingCorrections().probabilities(CTR, CVR)
    np.testing.assert_allclose(scores.pctr, probability(CTR), rtol=1e-6)
    np.testing.assert_allclose(scores.pctcvr, probability(CTR) * probability(CVR), rtol=1e-6)
    assert {values.dtype for values in scores} == {np.dtype(np.float32)}
    extreme = np.array([-1e4, 1e4], np.float32)
    assert ServingCorrections().probabilities(extreme, extreme).pctcvr.tolist() == [0.0, 1.0]


def test_the_method_s_own_pctcvr_is_served() -> None:
    joint = np.log(np.array([0.05, 0.2], np.float32))
    assert ServingCorrections().probabilities(CTR, CVR, joint).pctcvr == pytest.approx(
        [0.05, 0.2], rel=1e-6
    )


def test_the_shift_undoes_sampling_of_negatives() -> None:
    """Keeping a share r of unclicked rows multiplies the odds of a click by 1/r."""
    rate, click, buy = 0.1, np.array([0.03, 0.2]), np.array([0.3, 0.05])
    kept = click + rate * (1 - click)
    seen, joint = click / kept, click * buy / kept

    def logit(p: np.ndarray) -> np.ndarray:
        return np.log(p / (1 - p)).astype(np.float32)

    served = ServingCorrections(ctr_shift=float(np.log(rate)))
    for scores in (
        served.probabilities(logit(seen), logit(buy)),
        served.probabilities(logit(seen), logit(buy), np.log(joint).astype(np.float32)),
    ):
        np.testing.assert_allclose(scores.pctr, click, rtol=1e-5)
        np.testing.assert_allclose(scores.pctcvr, click * buy, rtol=1e-5)


def test_calibration_is_applied_to_the_logit_of_pcvr() -> None:
    served = ServingCorrections(calibration={"kind": "platt", "slope": 0.5, "intercept": -1.0})
    pcvr = probability(0.5 * CVR.astype(np.float64) - 1)
    for joint in (None, np.zeros(2, np.float32)):
        scores = served.probabilities(CTR, CVR, joint)
        np.testing.assert_allclose(scores.pcvr, pcvr, rtol=1e-6)
        np.testing.assert_allclose(scores.pctcvr, probability(CTR) * pcvr, rtol=1e-6)


def test_numbers_beyond_float32_stay_finite() -> None:
    column = NumericColumn(name="price", source="price", transform="standardize", mean=3, std=0.5)
    values = np.array([1e39, -1.7e308, 4.0, np.nan])
    expected = [1e6, -1e6, 2.0, 0.0]
    assert scale(values, column).tolist() == expected
    assert NumericScaling([column]).scale({"price": values})[:, 0].tolist() == expected
