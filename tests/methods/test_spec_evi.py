"""EVI: where the gradients go, what is conditioned on what, and where its student settles."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from postclick.errors import InputError
from postclick.losses import weighted_sum
from postclick.methods import Labels, Method, Outputs
from postclick.methods.evi import Evi, EviConfig
from postclick.methods.networks.conditioning import OuterProductLinear

from .helpers import BACKBONES, PATTERNS, TINY, dense, make_batch, make_method, weights_of

START_VARIANCE = math.log1p(math.exp(5.0)) + 1e-3  # 5.0077


def evi(backbone: str = "auto", **options: Any) -> Method[Any]:
    return make_method("evi", options, backbone)


def reached(method: Method[Any], term: str, prefix: str) -> set[str]:
    """Parameters under `prefix` that get a non-zero gradient from one term."""
    batch = make_batch(*PATTERNS["mixed"])
    value = method.terms(method.config, method(batch), Labels.of(batch))[term].value
    named = {n: p for n, p in method.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(value, list(named.values()), allow_unused=True)
    return {
        name
        for name, gradient in zip(named, gradients, strict=True)
        if name.startswith(prefix) and gradient is not None and bool((dense(gradient) != 0).any())
    }


@pytest.mark.parametrize("backbone", BACKBONES)
def test_16_6_the_cvr_term_does_not_train_the_teacher(backbone: str) -> None:
    assert reached(evi(backbone), "cvr", "teacher.") == set()
    assert reached(evi(backbone), "cvr", "net.heads.cvr.")
    attached = reached(evi(backbone, detach_pseudo_label=False), "cvr", "teacher.")
    assert "teacher.head.last.weight" in attached


@pytest.mark.parametrize("backbone", BACKBONES)
def test_16_6_vie_does_not_train_the_teacher_unless_attached(backbone: str) -> None:
    assert reached(evi(backbone), "vie", "teacher.") == set()
    assert reached(evi(backbone), "vie", "net.heads.cvr.tower.")
    assert reached(evi(backbone), "vie", "vie.rho") == {f"vie.rho.{k}" for k in range(3)}
    attached = reached(evi(backbone, detach_teacher_in_vie=False), "vie", "teacher.")
    assert any(name.startswith("teacher.head.tower.") for name in attached)
    # Activations are matched, not outputs: the last layers are out of it in any case.
    assert not any(".last." in name for name in attached)


@pytest.mark.parametrize(
    ("options", "frozen"),
    [({}, False), ({"freeze_sigma": True}, True), ({"preset": "released"}, True)],
)
def test_16_6_the_variance_is_learned_unless_frozen(options: dict[str, Any], frozen: bool) -> None:
    method = evi(**options)

    def variances() -> Tensor:
        return torch.cat([torch.nn.functional.softplus(rho) + 1e-3 for rho in method.vie.rho])

    assert pytest.approx(5.0077, abs=5e-5) == START_VARIANCE
    torch.testing.assert_close(variances(), torch.full_like(variances(), START_VARIANCE))
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.1)
    _, terms = method.loss(make_batch(*PATTERNS["mixed"]))
    weighted_sum(terms).backward()
    before = variances().detach()
    optimizer.step()
    assert torch.equal(variances() == before, torch.full_like(before, frozen, dtype=torch.bool))
    # Frozen or not, the variance is part of the saved model.
    assert {n for n in method.state_dict() if n.startswith("vie.rho")} == {
        f"vie.rho.{k}" for k in range(method.config.transfer_layers)
    }


def outer_layers(method: Method[Any]) -> dict[str, OuterProductLinear]:
    modules = method.teacher.named_modules()
    return {name: module for name, module in modules if isinstance(module, OuterProductLinear)}


@pytest.mark.parametrize(
    ("backbone", "where", "outputs"),
    [("mmoe", "backbone.layer", 3 * 8 + 3), ("share_bottom", "head.tower.linear.0", 8)],
)
def test_16_7_the_conditioned_input_has_5d_columns(backbone: str, where: str, outputs: int) -> None:
    method = evi(backbone)
    layers = outer_layers(method)
    assert list(layers) == [where]
    assert layers[where].weight.numel() == outputs * 5 * method.embedding.width
    assert outer_layers(evi(backbone, condition_at="none")) == {}


@pytest.mark.parametrize("condition_at", ["input", "representation"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_16_7_the_teacher_does_not_train_ctr_through_the_condition(
    backbone: str, condition_at: str
) -> None:
    assert reached(evi(backbone, condition_at=condition_at), "teacher", "net.") == set()
    attached = evi(backbone, condition_at=condition_at, detach_condition=False)
    towers = reached(attached, "teacher", "net.heads.")
    assert "net.heads.ctr.last.weight" in towers
    assert not any(name.startswith("net.heads.cvr.") for name in towers)
    without = evi(backbone, condition_at="none", detach_condition=False)
    assert reached(without, "teacher", "net.") == set()


@pytest.mark.parametrize("condition_at", ["input", "representation", "none"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_teacher_sees_pctr_only_where_it_is_conditioned(
    backbone: str, condition_at: str
) -> None:
    method = evi(backbone, condition_at=condition_at)
    x = torch.randn(6, method.embedding.width)
    low, high = (method.teacher(x, torch.full((6,), p)) for p in (0.1, 0.9))
    assert (low.logit != high.logit).any() == (condition_at != "none")
    same = all(map(torch.equal, low.activations, high.activations))
    assert same == (condition_at != "input")


def test_condition_at_representation_is_the_outer_product_of_the_last_activation() -> None:
    method = evi(condition_at="representation").eval()
    layers = outer_layers(method)
    assert list(layers) == ["head.last"]
    last = layers["head.last"]
    x, p = torch.randn(6, method.embedding.width), torch.rand(6)
    out = method.teacher(x, p)
    e = last.project(p.unsqueeze(1))
    wide = torch.einsum("ni,nj->nij", out.activations[-1], e).flatten(1)
    assert wide.shape == (6, 5 * TINY["tower"][-1])
    torch.testing.assert_close(out.logit, wide @ last.weight.flatten() + last.bias)


@pytest.mark.parametrize("layers", range(4))
def test_transfer_layers_match_the_last_k_of_the_tower(layers: int) -> None:
    method = evi(transfer_layers=layers)
    outputs = method(make_batch(*PATTERNS["mixed"]))
    if layers == 0:
        assert not hasattr(method, "vie")
        assert "vie" not in outputs.extra
        assert "vie" not in weights_of(method)
        return
    widths = list(TINY["tower"])[-layers:]
    assert [(m.in_features, m.out_features) for m in method.vie.mean] == [(w, w) for w in widths]
    assert all(m.bias is not None for m in method.vie.mean)
    assert [rho.shape for rho in method.vie.rho] == [(w,) for w in widths]
    for pair, width in zip(outputs.extra["vie"], widths, strict=True):
        assert pair.teacher.shape == pair.guess.shape == (8, width)
        assert (pair.teacher >= 0).all()


def test_more_transfer_layers_than_the_tower_has_are_refused() -> None:
    with pytest.raises(InputError, match=r"transfer_layers=4.* 3 layers") as caught:
        evi(transfer_layers=4)
    assert "\n" not in str(caught.value)
    assert weights_of(evi(transfer_layers=4, vie_weight=0.0)).keys() == {
        *("ctr", "cvr", "ctcvr", "teacher")
    }


@pytest.mark.parametrize("condition_at", ["input", "representation", "none"])
def test_a_network_without_towers_has_nothing_to_transfer_and_works(condition_at: str) -> None:
    options = {"condition_at": condition_at, "transfer_layers": 0}
    method = make_method("evi", options, "share_bottom", tower=())
    _, terms = method.loss(make_batch(*PATTERNS["mixed"]))
    weighted_sum(terms).backward()
    assert len(outer_layers(method)) == (condition_at != "none")


@pytest.mark.parametrize(("space", "start"), [("entire", 0.2 * 0.3), ("click", 0.3)])
def test_the_teacher_starts_at_the_rate_of_its_labels(space: str, start: float) -> None:
    for condition_at in ("input", "representation", "none"):
        last = evi(teacher_space=space, condition_at=condition_at).teacher.head.last
        assert last.get_parameter("bias").sigmoid().item() == pytest.approx(start, rel=1e-6)


def test_the_released_preset_is_the_released_code() -> None:
    config = EviConfig(preset="released")
    assert (config.half, config.cvr_weight, config.transfer_layers) == (False, 0.2, 2)
    assert (config.freeze_sigma, config.detach_teacher_in_vie) == (True, False)
    assert (config.condition_at, config.teacher_space) == ("input", "entire")
    # What is set beside a preset wins over it.
    assert EviConfig.parse("evi", {"preset": "released", "transfer_layers": 3}).transfer_layers == 3
    # Without the 1/2 this equals the default's effective weight of the CVR term.
    assert EviConfig().cvr_weight / 2 == config.cvr_weight


# --- fixed points, in expectation, on the population of METHODS section 16, item 11

OUTCOMES = ((1.0, 1.0), (1.0, 0.0), (0.0, 0.0))


def settle(config: EviConfig, heads: tuple[str, ...]) -> tuple[float, float]:
    """Optimise a table of logits, one per value of u; returns mean pCVR / truth and a slope.

    The expected gradient of a row is that of its three possible labels, weighted by their
    probabilities; heads that are not optimised stay at the truth.
    """
    u = torch.linspace(-4, 4, 81, dtype=torch.float64)
    share = torch.exp(-u.square() / 2) / torch.exp(-u.square() / 2).sum()
    true_ctr, true_cvr = -3.2 + 1.2 * u, -2.5 + u
    p, r = true_ctr.sigmoid(), true_cvr.sigmoid()
    probability = (p * r, p * (1 - r), 1 - p)
    truth = {"ctr": true_ctr, "cvr": true_cvr, "teacher": true_cvr}
    logits = {head: z.clone().requires_grad_() for head, z in truth.items()}
    tables = [logits[head] for head in heads]
    optimizer = torch.optim.Rprop(tables, lr=0.1, step_sizes=(1e-12, 1.0))
    for _ in range(250):
        for table in tables:
            table.grad = torch.zeros_like(table)
        for (click, conversion), chance in zip(OUTCOMES, probability, strict=True):
            labels = Labels(torch.full_like(u, click), torch.full_like(u, conversion))
            terms = Evi.terms(config, Outputs(logits), labels)
            total = weighted_sum(terms)
            for table, slope in zip(tables, torch.autograd.grad(total, tables), strict=True):
                assert table.grad is not None
                table.grad += len(u) * chance * slope
        optimizer.step()
    steepest = max(float(table.grad.abs().max()) for table in tables if table.grad is not None)
    ratio = (share * logits["cvr"].detach().sigmoid()).sum() / (share * r).sum()
    return float(ratio), steepest


@pytest.mark.parametrize(("space", "ratio"), [("entire", 0.569), ("click", 1.0)])
def test_16_11_fixed_point_of_the_cvr_term(space: str, ratio: float) -> None:
    """A teacher of recorded labels ends at CTCVR and drags the student down with it."""
    config = EviConfig(teacher_space=space, ctr_weight=0.0, ctcvr_weight=0.0)
    found, slope = settle(config, ("cvr", "teacher"))
    assert slope < 1e-8
    assert found == pytest.approx(ratio, abs=1e-3)


@pytest.mark.parametrize(("space", "low", "high"), [("entire", 0.52, 0.57), ("click", 0.99, 1.01)])
def test_16_11_fixed_point_of_the_full_loss(space: str, low: float, high: float) -> None:
    found, slope = settle(EviConfig(teacher_space=space), ("ctr", "cvr", "teacher"))
    assert slope < 1e-6
    assert low <= round(found, 2) <= high
