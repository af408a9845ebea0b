"""What is said of Anchor: what its CVR logit reads, what trains what, and where it starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from postclick.losses import weighted_sum
from postclick.methods.anchor import Anchor
from postclick.testing.batches import PATTERNS, RATES, dense, make_batch
from postclick.testing.batches import make_method as make
from postclick.testing.exposure_properties import EXPOSED, exposed_batch
from reference.baselines import anchored

from .helpers import make_method


def anchor(a: float | None = None, **more: object) -> Anchor:
    method = make(Anchor, **more)  # type: ignore[arg-type]
    assert isinstance(method, Anchor)
    if a is not None:
        with torch.no_grad():
            method.a.fill_(a)
    return method.eval()


@pytest.mark.parametrize("a", [0.0, 0.05, -0.2])
@pytest.mark.parametrize("backbone", ["share_bottom", "mmoe"])
def test_the_cvr_logit_is_the_formula(a: float, backbone: str) -> None:
    method = anchor(a, backbone=backbone).double()
    batch = make_batch(*PATTERNS["mixed"])
    x = method.embed(replace(batch, numeric=batch.numeric.double(), bags=_doubled(batch.bags)))
    heads = {name: out.logit.detach().numpy() for name, out in method.net(x).items()}
    found = method.heads(x, serving=False).logits
    expected = anchored(heads["ctr"], heads["cvr"], a, RATES.ctr)
    np.testing.assert_allclose(found["cvr"].detach().numpy(), expected, rtol=1e-6, atol=0)
    np.testing.assert_array_equal(found["ctr"].detach().numpy(), heads["ctr"])


def _doubled(bags):  # type: ignore[no-untyped-def]
    return tuple(bag._replace(weights=bag.weights.double()) for bag in bags)


def test_at_the_start_it_is_naive_to_the_bit() -> None:
    plain, method = make_method("naive").eval(), anchor()
    batch = make_batch(*PATTERNS["mixed"])
    assert method.alpha.item() == 0
    for ours, its in zip(method.predict(batch), plain.predict(batch), strict=True):
        assert ours is its is None or torch.equal(ours, its)  # type: ignore[arg-type]
    assert method.base.item() == pytest.approx(np.log(RATES.ctr / (1 - RATES.ctr)))


def test_the_cvr_loss_trains_alpha_by_the_chain_rule_and_no_ctr_head() -> None:
    method = anchor(0.03)
    batch = make_batch(*PATTERNS["mixed"])
    outputs, terms = method.loss(batch)
    named = dict(method.named_parameters())
    found = torch.autograd.grad(terms["cvr"].value, list(named.values()), allow_unused=True)
    gradient = {n: g for n, g in zip(named, found, strict=True) if g is not None}
    reached = {n for n, g in gradient.items() if dense(g).any()}
    assert not [n for n in reached if n.startswith("net.heads.ctr.")]
    p, q = outputs.logits["ctr"].detach(), outputs.logits["cvr"].detach().sigmoid()
    slope = batch.click * (q - batch.conversion * batch.click) * 10 * (p - method.base)
    torch.testing.assert_close(gradient["a"], slope.sum() / batch.click.sum())


def test_pcvr_reads_no_exposure_however_strong_the_anchor_is() -> None:
    method = anchor(0.3, inputs=EXPOSED)
    batch = exposed_batch()
    assert batch.exposure is not None
    found = [method.predict(replace(batch, exposure=torch.full((8,), k))) for k in range(4)]
    for other in found[1:]:
        assert torch.equal(other.cvr, found[0].cvr)
        assert not torch.equal(other.ctr, found[0].ctr)
    method.zero_grad()
    weighted_sum({"cvr": method.loss(batch)[1]["cvr"]}).backward()
    for table in method.exposure.parameters():  # type: ignore[union-attr]
        assert table.grad is None or not dense(table.grad).any()


def test_predictions_for_a_down_sampled_log_keep_pcvr() -> None:
    """The anchor reads the sample's CTR logit and the sample's base rate, as in training."""
    method = anchor(0.2)
    batch = make_batch(*PATTERNS["mixed"])
    sampled = method.predict_sampled(batch)
    method.ctr_shift = -2.0
    assert torch.equal(method.predict(batch).cvr, sampled.cvr)


def test_a_log_whose_conversions_follow_clicks_is_learnt_by_alpha() -> None:
    """The tabular truth logit q = 0.6 logit p + const, few conversions: alpha goes to about .6."""
    rng = np.random.default_rng(0)
    method = anchor()
    z = torch.from_numpy(rng.normal(-2.0, 1.5, 20000)).float()
    truth = (0.6 * z + 0.4).sigmoid().numpy()
    click = rng.random(20000) < z.sigmoid().numpy()
    conversion = torch.from_numpy(click * (rng.random(20000) < truth)).float()
    intercept = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.Adam([method.a, intercept], lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        cvr = intercept + method.alpha * (z - method.base)
        loss = Anchor.loss_on({"ctr": z, "cvr": cvr}, torch.from_numpy(click), conversion)
        loss["cvr"].value.backward()
        optimizer.step()
    assert float(method.alpha.detach()) == pytest.approx(0.6, abs=0.06)
