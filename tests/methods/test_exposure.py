"""The exposure where logits leave a network: pCTCVR follows pCTR, pCVR stays."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit

from postclick.methods import METHODS, Aitm, MrdrGpl, Ukd, find_method
from postclick.methods.base import Step
from postclick.methods.exposed import exposed_outputs, table_name
from postclick.methods.outputs import Outputs
from postclick.methods.prediction import Prediction
from postclick.nn.exposure import ExposureEffect
from postclick.testing.batches import make_method
from postclick.testing.exposure_properties import EXPOSED, exposed_batch

IDS = torch.tensor([1, 2, 3, 1])


def effect() -> ExposureEffect:
    return ExposureEffect(["ctr"], [0.0, 0.5, 0.3, 0.2], [0.0, 0.7, -0.4, -1.1]).double()


def test_a_ctcvr_head_is_multiplied_as_pctr_is() -> None:
    ctr = torch.tensor([-2.0, 0.0, 1.0, -8.0], dtype=torch.float64)
    joint = torch.tensor([-4.0, -1.0, -3.0, -20.0], dtype=torch.float64)
    other = torch.ones(4, dtype=torch.float64)
    found = exposed_outputs(effect(), Outputs({"ctr": ctr, "ctcvr": joint, "cvr": other}), IDS)
    moved = ctr.numpy() + np.array([0.7, -0.4, -1.1, 0.7])
    assert found.logits["ctr"].detach().numpy() == pytest.approx(moved)
    expected = expit(joint.numpy()) * expit(moved) / expit(ctr.numpy())
    assert found.logits["ctcvr"].sigmoid().detach().numpy() == pytest.approx(expected, rel=1e-6)
    assert found.logits["cvr"] is other


def test_pctcvr_that_would_exceed_1_has_a_finite_logit_and_gradient() -> None:
    ctr = torch.tensor([0.0, 30.0], dtype=torch.float64, requires_grad=True)
    joint = torch.tensor([40.0, 30.0], dtype=torch.float64, requires_grad=True)
    found = exposed_outputs(effect(), Outputs({"ctr": ctr, "ctcvr": joint}), torch.tensor([1, 1]))
    assert found.logits["ctcvr"].isfinite().all()
    found.logits["ctcvr"].sum().backward()
    for leaf in (ctr, joint):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()


def test_aitm_serves_the_pcvr_of_its_network_at_every_exposure() -> None:
    """pCTCVR / pCTR, of both with the exposure or of both without."""
    method = make_method(Aitm, inputs=EXPOSED).double().eval()
    batch = exposed_batch()
    batch = replace(batch, numeric=batch.numeric.double())
    batch = replace(batch, bags=tuple(b._replace(weights=b.weights.double()) for b in batch.bags))
    outputs, found = method(batch), method.predict(batch)
    ratio = outputs.logits["ctcvr"].sigmoid() / outputs.logits["ctr"].sigmoid()
    torch.testing.assert_close(found.cvr.sigmoid(), ratio, rtol=1e-5, atol=1e-7)
    assert found.log_ctcvr is not None
    joint = found.ctr.sigmoid() * found.cvr.sigmoid()
    torch.testing.assert_close(found.log_ctcvr.exp(), joint, rtol=1e-5, atol=1e-7)


def test_another_pctr_leaves_pcvr_and_moves_pctcvr_with_it() -> None:
    one = Prediction(torch.zeros(1), torch.ones(1), torch.log(torch.tensor([0.2])), torch.ones(1))
    found = one.with_ctr(torch.tensor([-1.0]), torch.tensor([2.0]))
    assert found.cvr is one.cvr
    assert found.log_ctcvr is not None
    assert float(found.log_ctcvr.exp()) == pytest.approx(0.2 * expit(-1) / 0.5)
    assert found.propensity is not None
    assert found.propensity.item() == 2.0


def test_a_sample_is_corrected_before_the_mean_over_exposures() -> None:
    method = make_method(find_method("esmm")[0], inputs=EXPOSED).double().eval()
    batch = exposed_batch()
    batch = replace(batch, numeric=batch.numeric.double(), exposure=None)
    batch = replace(batch, bags=tuple(b._replace(weights=b.weights.double()) for b in batch.bags))
    method.ctr_shift = float(np.log(0.1))
    each = [
        method.predict(replace(batch, exposure=torch.full((len(batch),), k))).ctr.sigmoid()
        for k in (1, 2, 3)
    ]
    share = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    torch.testing.assert_close(
        method.predict(batch).ctr.sigmoid(), torch.stack(each, 1) @ share, rtol=1e-6, atol=0
    )


@pytest.mark.parametrize(
    ("name", "trained"),
    [
        ("dr_jl", {"propensity": {"ctr"}, "imputation": set(), "prediction": set()}),
        ("ukd", {"teacher": set(), "student": {"ctr"}}),
        ("esmm", {"joint": {"ctr"}}),
        (
            "mrdr_gpl",
            {
                "propensity": {"ctr", "propensity"},
                "regularise": {"propensity"},
                "imputation": set(),
                "prediction": set(),
            },
        ),
    ],
)
def test_exposures_are_trained_with_their_heads(name: str, trained: dict[str, set[str]]) -> None:
    method = make_method(METHODS[name], inputs=EXPOSED)
    found: dict[str, set[str]] = {}
    for phase in method.schedule(2):
        for step in phase.steps:
            names = {n for n, _ in method.trained(step)}
            found[step.name] = {h for h in ("ctr", "propensity") if table_name(h) in names}
    assert found == trained


def test_a_step_of_a_method_whose_parameters_name_no_head_is_told_by_its_terms() -> None:
    method = make_method(Ukd, inputs=EXPOSED)
    method.student.heads["click"] = method.student.heads.pop("ctr")
    own = {table_name("ctr")}
    assert own <= {n for n, _ in method.trained(Step("a", ("ctr",), ("embedding.",)))}
    assert not own & {n for n, _ in method.trained(Step("b", ("cvr",), ("embedding.",)))}


def test_mrdr_gpl_weighs_by_its_own_exposures() -> None:
    method = make_method(MrdrGpl, inputs=EXPOSED).eval()
    batch = exposed_batch()
    before = method.predict(batch)
    assert method.exposure is not None
    with torch.no_grad():
        method.exposure.tables["propensity"] += 0.1
    after = method.predict(batch)
    assert torch.equal(before.ctr, after.ctr)
    assert before.propensity is not None
    assert after.propensity is not None
    assert not torch.equal(before.propensity, after.propensity)


def test_a_batch_may_be_named() -> None:
    method, batch = make_method(METHODS["naive"], inputs=EXPOSED).eval(), exposed_batch()
    assert torch.equal(method(batch=batch).logits["ctr"], method(batch).logits["ctr"])
