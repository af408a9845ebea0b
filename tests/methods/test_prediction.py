"""The correction for left-out negatives: Bayes' rule by counting, and where it is applied."""

import math

import pytest
import torch

from methods.helpers import make_batch, make_method
from postclick.methods import METHODS
from postclick.methods.prediction import Prediction

# Cells of a population: impressions, clicks, recorded conversions. A quarter of the unclicked
# impressions of each cell is a whole number.
CELLS = torch.tensor([[1000.0, 40, 10], [500, 100, 80], [44, 40, 1]], dtype=torch.float64)
RATE = 0.25


def logit(p: torch.Tensor) -> torch.Tensor:
    return torch.log(p) - torch.log1p(-p)


def test_it_is_bayes_rule_by_counting() -> None:
    rows, clicks, conversions = CELLS.unbind(1)
    left = clicks + RATE * (rows - clicks)
    assert bool((left == left.round()).all())
    inside = Prediction(
        ctr=logit(clicks / left),
        cvr=logit(conversions / clicks),
        log_ctcvr=torch.log(conversions / left),
        propensity=logit(clicks / left),
    )
    found = inside.shifted(math.log(RATE))
    torch.testing.assert_close(found.ctr.sigmoid(), clicks / rows)
    torch.testing.assert_close(found.cvr.sigmoid(), conversions / clicks)
    assert found.log_ctcvr is not None and found.propensity is not None
    torch.testing.assert_close(found.log_ctcvr.exp(), conversions / rows)
    torch.testing.assert_close(found.propensity.sigmoid(), clicks / rows)


def test_with_all_rows_nothing_changes() -> None:
    before = Prediction(torch.ones(2), torch.ones(2), -torch.ones(2))
    assert before.shifted(0.0) is before


def test_pctcvr_stays_below_pctr_at_any_logit() -> None:
    ctr = torch.linspace(-60, 60, 241)
    log_ctr = torch.nn.functional.logsigmoid(ctr)
    found = Prediction(ctr, torch.zeros(241), log_ctr - 1e-6).shifted(math.log(0.001))
    assert found.log_ctcvr is not None
    assert bool((found.log_ctcvr <= torch.nn.functional.logsigmoid(found.ctr)).all())
    assert bool(found.log_ctcvr.isfinite().all())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_corrected_in_predict_and_not_in_its_loss(name: str) -> None:
    method, batch = make_method(name).eval(), make_batch([1, 0, 0, 1, 0], [1, 0, 0, 0, 0])
    with torch.no_grad():
        before, terms = method.predict(batch), method.loss(batch)[1]
        method.ctr_shift = math.log(0.2)
        after, inside, again = (
            method.predict(batch),
            method.predict_sampled(batch),
            method.loss(batch)[1],
        )
    torch.testing.assert_close(after.ctr, before.ctr + math.log(0.2))
    torch.testing.assert_close(after.cvr, before.cvr, rtol=0, atol=0)
    torch.testing.assert_close(inside.ctr, before.ctr, rtol=0, atol=0)
    assert terms == again
    assert (after.log_ctcvr is None) == (before.log_ctcvr is None)
    if after.log_ctcvr is not None and before.log_ctcvr is not None:
        ratio = after.ctr.sigmoid() / before.ctr.sigmoid()
        torch.testing.assert_close(after.log_ctcvr.exp(), before.log_ctcvr.exp() * ratio)
    if before.propensity is not None and after.propensity is not None:
        torch.testing.assert_close(after.propensity, before.propensity + math.log(0.2))
