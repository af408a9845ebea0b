"""What the specification says of MMOE, AITM, CTnoCVR and the IPW baselines, one test an item."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from postclick.methods import METHODS, Outputs, find_method
from postclick.nn.backbones.mmoe import MMoE
from reference.population import ROWS, STRATA_P, STRATA_R, exact_population, logit, random_batch

from .helpers import PATTERNS, make_batch, make_method
from .test_spec import slopes, terms_of

CAUSAL = ("multi_ipw", "multi_dr", "snips", "clipped_ips", "escm2_dr")
SERVED = ("ctr", "cvr")


# --- heads and networks


def test_mmoe_is_naive_on_a_mixture_of_experts() -> None:
    z, labels = random_batch(0, SERVED)
    for reduction in ("mean_clicked", "mean_entire"):
        ours = terms_of("mmoe", z, labels, reduction=reduction)[0]
        plain = terms_of("naive", z, labels, reduction=reduction)[0]
        assert {k: v.item() for k, v in ours.items()} == {k: v.item() for k, v in plain.items()}
    assert isinstance(make_method("mmoe").net.backbone, MMoE)
    assert not isinstance(make_method("naive").net.backbone, MMoE)


@pytest.mark.parametrize("name", CAUSAL)
def test_the_causal_baselines_are_on_a_mixture_of_experts_with_a_task_per_head(name: str) -> None:
    net = make_method(name).net
    assert isinstance(net.backbone, MMoE)
    assert net.backbone.tasks == len(net.heads) == (3 if name.endswith("_dr") else 2)


def test_aitm_attention_has_no_bias_and_joins_the_tower_tops() -> None:
    method = make_method("aitm", tower=(8, 6, 4))
    assert {n: tuple(p.shape) for n, p in method.transfer.named_parameters()} == {
        "info.0.weight": (4, 4),
        "info.0.bias": (4,),
        "attention.layer.weight": (12, 4),
    }


@pytest.mark.parametrize("head", ["ctcvr", "cvr"])
def test_aitm_conversion_loss_trains_the_ctr_tower_but_not_its_last_layer(head: str) -> None:
    method = make_method("aitm", {"head": head})
    batch = make_batch(*PATTERNS["mixed"])
    loss = method.loss(batch)[1][head]
    parameters = dict(method.net.heads["ctr"].named_parameters())
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    reached = {n: g is not None for n, g in zip(parameters, found, strict=True)}
    assert reached == {n: n.startswith("tower.") for n in parameters}


# --- AITM serving and constraint


def test_aitm_serves_pctcvr_as_the_product_of_pctr_and_pcvr() -> None:
    z = np.linspace(-40.0, 40.0, 41)
    grid = {"ctr": np.repeat(z, 41), "ctcvr": np.tile(z, 41)}
    outputs = Outputs({head: torch.from_numpy(a) for head, a in grid.items()})
    served = METHODS["aitm"].serve(METHODS["aitm"].Config(), outputs)
    log_ctcvr = served.log_ctcvr
    assert log_ctcvr is not None
    log_product = torch.nn.functional.logsigmoid(served.ctr) + torch.nn.functional.logsigmoid(
        served.cvr
    )
    torch.testing.assert_close(log_ctcvr, log_product, rtol=1e-9, atol=1e-9)
    log_ctr = torch.nn.functional.logsigmoid(served.ctr)
    log_head = torch.nn.functional.logsigmoid(outputs.logits["ctcvr"])
    assert torch.equal(served.ctr, outputs.logits["ctr"])
    assert (log_ctcvr < log_ctr).all()
    possible = log_head < log_ctr - 1e-5
    assert 300 < possible.sum() < 1300
    assert torch.equal(log_ctcvr[possible], log_head[possible])
    assert (served.cvr.sigmoid()[~possible] > 0.99998).all()


def test_aitm_with_a_cvr_head_serves_it() -> None:
    name, options = find_method("aitm/cvr_head")
    logits = {"ctr": torch.tensor([0.5]), "cvr": torch.tensor([-1.0])}
    served = name.serve(name.Config.parse("aitm", options), Outputs(logits))
    assert (served.ctr, served.cvr, served.log_ctcvr) == (logits["ctr"], logits["cvr"], None)


def test_aitm_constraint_is_zero_where_pctcvr_is_below_pctr() -> None:
    z, labels = random_batch(0, ("ctr", "ctcvr"), 40)
    below = z["ctcvr"] < z["ctr"]
    terms, leaves = terms_of("aitm", z, labels)
    for gradient in slopes(terms["constraint"], leaves).values():
        np.testing.assert_array_equal(gradient.numpy() == 0, below)
    assert 5 < below.sum() < 35
    mean = terms_of("aitm", z, labels, constraint_reduction="mean")[0]["constraint"]
    assert terms["constraint"].item() == pytest.approx(40 * mean.item(), rel=1e-14)


def test_aitm_evi_repo_holds_pcvr_below_pctr_on_clicked_rows_only() -> None:
    z, labels = random_batch(1, SERVED, 40)
    options = METHODS["aitm"].variants["evi_repo"]
    terms, leaves = terms_of("aitm", z, labels, **options)
    active = (labels[0] == 1) & (z["cvr"] > z["ctr"])
    gradient = slopes(terms["constraint"], leaves)["cvr"].numpy()
    np.testing.assert_array_equal(gradient != 0, active)
    assert make_method("aitm", METHODS["aitm"].variants["cvr_head"]).weights()["constraint"] == 0


# --- CTnoCVR


@pytest.mark.parametrize("detach", [True, False])
def test_ctnocvr_is_choruscvr_with_unclicked_conversions_tied(detach: bool) -> None:
    z, labels = random_batch(2, SERVED)
    options = {"detach_ctr_in_ctcvr": detach}
    ours, our_leaves = terms_of("ctnocvr", z, labels, **options)
    chorus, leaves = terms_of("choruscvr", z, labels, tie_uncvr=True, **options)
    for term, other in (("ctr", "ctr"), ("ctcvr", "ctcvr"), ("ctnocvr", "ctuncvr")):
        assert ours[term].item() == chorus[other].item()
        expected = slopes(chorus[other], leaves)
        for head, gradient in slopes(ours[term], our_leaves).items():
            assert torch.equal(gradient, expected[head])


def test_ctnocvr_is_stationary_at_the_truth() -> None:
    rows = {"ctr": np.repeat(logit(STRATA_P), ROWS), "cvr": np.repeat(logit(STRATA_R), ROWS)}
    terms, leaves = terms_of("ctnocvr", rows, exact_population())
    total = torch.stack(list(terms.values())).sum()
    for gradient in slopes(total, leaves).values():
        assert gradient.reshape(len(STRATA_P), ROWS).sum(dim=1).abs().max() < 1e-14


# --- inverse propensities


def test_multi_ipw_is_escm2_ipw_without_its_ctcvr_term() -> None:
    z, labels = random_batch(3, SERVED)
    for norm in ("entire", "clicked", "self"):
        ours, _ = terms_of("multi_ipw", z, labels, ipw_norm=norm)
        other, _ = terms_of("escm2_ipw", z, labels, ipw_norm=norm)
        assert {**ours, "ctcvr": other["ctcvr"]} == other
    assert make_method("multi_ipw").weights() == {"ctr": 1, "cvr": 1}


def test_snips_does_not_move_with_the_scale_of_the_weights_and_multi_ipw_does() -> None:
    """Propensities of .1 everywhere, then of .2: half the weights."""
    z, labels = random_batch(4, SERVED)
    found = {
        name: [
            terms_of(name, {**z, "ctr": np.full(18, level)}, labels)[0]["cvr"].item()
            for level in (math.log(1 / 9), math.log(1 / 4))
        ]
        for name in ("snips", "multi_ipw")
    }
    assert found["snips"][0] == pytest.approx(found["snips"][1], rel=1e-12)
    assert found["multi_ipw"][0] == pytest.approx(2 * found["multi_ipw"][1], rel=1e-12)


def test_snips_of_the_evi_authors_divides_by_the_batch_size_again() -> None:
    z, labels = random_batch(5, SERVED, 24)
    once, _ = terms_of("snips", z, labels)
    again, leaves = terms_of("snips", z, labels, **METHODS["snips"].variants["evi_repo"])
    assert again["cvr"].item() == pytest.approx(once["cvr"].item() / 24, rel=1e-12)
    assert (slopes(again["cvr"], leaves)["ctr"] != 0).any()


def test_clipped_ips_has_a_floor_and_no_ceiling() -> None:
    ctr = logit(np.array([0.001, 0.04, 0.06, 0.5, 0.999]))
    one = np.ones(5)
    terms, leaves = terms_of("clipped_ips", {"ctr": ctr, "cvr": np.zeros(5)}, (one, one))
    weight = 1 / np.array([0.05, 0.05, 0.06, 0.5, 0.999])
    gradient = slopes(terms["cvr"], leaves)["cvr"].numpy()
    np.testing.assert_allclose(gradient, -0.5 * weight / 5, rtol=1e-12)
    assert terms["cvr"].item() == pytest.approx(math.log(2) * weight.mean(), rel=1e-12)


@pytest.mark.parametrize("detach", [True, False])
def test_clipped_ips_trains_the_propensity_above_its_floor_if_attached(detach: bool) -> None:
    z, (click, conversion) = random_batch(6, SERVED)
    options = {"floor": 0.5, "detach_propensity": detach}
    terms, leaves = terms_of("clipped_ips", z, (click, conversion), **options)
    reached = slopes(terms["cvr"], leaves)["ctr"].numpy() != 0
    above = (click == 1) & (z["ctr"] > 0)
    np.testing.assert_array_equal(reached, above & (not detach))
    assert above.any()


def test_clipped_ips_is_watched_at_its_floor() -> None:
    assert make_method("clipped_ips", {"floor": 0.2}).clip == (0.2, 1 - 1e-7)
    low, high = make_method("clipped_ips", {"floor": 1.0}).clip or (0, 0)
    assert low <= high
