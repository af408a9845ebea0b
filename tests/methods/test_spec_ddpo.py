"""DDPO: its soft labels, its weights, its transfer modules, and where its labels lead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from postclick.methods import Labels, Method, find_method
from reference.population import random_batch

from .helpers import BACKBONES, PATTERNS, dense, make_batch, make_method
from .tabular import settle
from .test_spec import slopes, terms_of

HEADS = ("ctr", "cvr", "conversion")
SIZE = 16
CVR_TERMS = ("cvr_clicked", "cvr_unclicked")


def drawn(seed: int = 0) -> tuple[dict[str, Any], Any]:
    return random_batch(seed, HEADS, SIZE)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("soft_label", ["dynamic", "unclicked_only"])
def test_16_8_the_dynamic_soft_label_is_v_plus_a_at_most_one(soft_label: str, seed: int) -> None:
    """The gradient on a clicked row is its weight times (q - y*)."""
    z, (click, conversion) = drawn(seed)
    terms, leaves = terms_of("ddpo", z, (click, conversion), soft_label=soft_label)
    a, q = sigmoid(z["conversion"]), sigmoid(z["cvr"])
    target = np.minimum(conversion + a, 1) if soft_label == "dynamic" else conversion
    weight = click / np.clip(sigmoid(z["ctr"]), 1e-6, 1 - 1e-6)
    expected = weight / weight.sum() * (q - target)
    found = slopes(terms["cvr_clicked"], leaves)
    np.testing.assert_allclose(found["cvr"].numpy(), expected, rtol=1e-10, atol=1e-14)


def test_16_8_the_weights_of_either_space_sum_to_one() -> None:
    z, (click, _) = drawn()
    even = {**z, "cvr": np.full(SIZE, 0.3), "conversion": np.full(SIZE, 50.0)}
    terms, _ = terms_of("ddpo", even, (click, click))
    for term in CVR_TERMS:
        assert terms[term].item() == pytest.approx(np.log1p(np.exp(-0.3)), rel=1e-12), term


def test_unclicked_rows_get_the_conversion_propensity_as_label() -> None:
    z, labels = drawn()
    terms, leaves = terms_of("ddpo", {**z, "cvr": z["conversion"]}, labels)
    assert slopes(terms["cvr_unclicked"], leaves)["cvr"].abs().max() < 1e-15
    terms, leaves = terms_of("ddpo", {**z, "cvr": z["conversion"] + 1}, labels)
    found = slopes(terms["cvr_unclicked"], leaves)["cvr"].numpy()
    assert (found[labels[0] == 0] > 0).all()
    assert (found[labels[0] == 1] == 0).all()


def test_cvr_terms_train_neither_propensity() -> None:
    z, labels = drawn()
    terms, leaves = terms_of("ddpo", z, labels)
    for term in CVR_TERMS:
        found = slopes(terms[term], leaves)
        assert found["cvr"].any()
        assert not found["ctr"].any()
        assert not found["conversion"].any()
    clicked = slopes(terms["conversion"], leaves)["conversion"].numpy() != 0
    np.testing.assert_array_equal(clicked, labels[0] == 1)


def test_the_extra_batch_mean_divides_by_the_rows() -> None:
    z, labels = drawn()
    plain, official = (
        terms_of("ddpo", z, labels, extra_batch_mean=extra)[0] for extra in (False, True)
    )
    for term, value in plain.items():
        factor = SIZE if term in CVR_TERMS else 1
        assert value.item() == pytest.approx(factor * official[term].item(), rel=1e-12), term


@pytest.mark.parametrize(("soft_label", "ratio"), [("dynamic", 1.405), ("unclicked_only", 1.0)])
def test_16_11_fixed_point_of_the_cvr_term(soft_label: str, ratio: float) -> None:
    """Clicks without conversion counted as a part of one: (r (2 - r) + r) / 2 in place of r."""
    found = settle("ddpo", ("cvr",), CVR_TERMS, soft_label=soft_label)
    assert found.slope < 1e-8
    assert found.ratio == pytest.approx(ratio, abs=1e-3)


def test_16_11_fixed_point_of_the_full_loss() -> None:
    """CTCVR objects, but it is small beside terms whose weights sum to 1."""
    found = settle("ddpo", HEADS)
    assert found.slope < 1e-8
    assert 1.33 <= found.ratio <= 1.405
    assert settle("ddpo", HEADS, soft_label="unclicked_only").ratio == pytest.approx(1.0, abs=1e-4)


def reached(method: Method[Any], term: str) -> set[str]:
    """Parameters with a non-zero gradient from one term."""
    batch = make_batch(*PATTERNS["mixed"])
    value = method.terms(method.config, method(batch), Labels.of(batch))[term].value
    named = dict(method.named_parameters())
    found = torch.autograd.grad(value, list(named.values()), allow_unused=True)
    return {
        name
        for name, gradient in zip(named, found, strict=True)
        if gradient is not None and bool((dense(gradient) != 0).any())
    }


@pytest.mark.parametrize("transfer", [True, False])
def test_transfer_is_what_lets_cvr_train_the_other_encoders(transfer: bool) -> None:
    found = reached(make_method("ddpo", {"transfer": transfer}), "cvr_clicked")
    for head in ("ctr", "conversion"):
        encoder = {name for name in found if name.startswith(f"causal.encoders.{head}.")}
        assert bool(encoder) == transfer
        assert not {name for name in found if name.startswith(f"causal.heads.{head}.")}
    assert {name for name in found if name.startswith("causal.encoders.cvr.")}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_transfer_modules_are_those_of_the_configuration(backbone: str) -> None:
    def modules(name: str) -> Any:
        method, options = find_method(name)
        return make_method(method.name, options, backbone).causal

    full = modules("ddpo")
    assert set(full.transfer) == {"ctr", "conversion"}
    width = full.heads["ctr"].tower.linear[0].in_features
    assert full.join.linear[0].in_features == 2 * width
    assert all(module.attention.layer.bias is not None for module in full.transfer.values())
    assert set(modules("ddpo/no_convn").transfer) == {"ctr"}
    assert set(modules("ddpo/no_convn").heads) == {"ctr", "cvr"}
    assert not modules("ddpo/no_ctm").transfer
    assert not hasattr(modules("ddpo/no_ctm"), "join")
    for module in modules("ddpo/evi_repo").transfer.values():
        assert isinstance(module.info, torch.nn.Identity)
        assert module.attention.layer.bias is None


@pytest.mark.parametrize("tower", [(), (8,), (8, 6)])
def test_towers_of_any_depth_work(tower: tuple[int, ...]) -> None:
    method = make_method("ddpo", {}, "share_bottom", tower=tower)
    outputs, terms = method.loss(make_batch(*PATTERNS["mixed"]))
    assert set(outputs.logits) == set(HEADS)
    assert all(torch.isfinite(term.value) for term in terms.values())


def test_serving_leaves_out_the_conversion_head_but_not_its_transfer() -> None:
    method = make_method("ddpo").eval()
    x = torch.randn(4, method.embedding.width)
    served, trained = (method.heads(x, serving=serving).logits for serving in (True, False))
    assert set(served) == {"ctr", "cvr"}
    assert all(torch.equal(served[head], trained[head]) for head in served)

    def cvr() -> Tensor:
        return method.heads(x, serving=True).logits["cvr"].detach()

    before = cvr()
    with torch.no_grad():
        for parameter in method.causal.encoders["conversion"].parameters():
            parameter.add_(1.0)
    assert not torch.equal(before, cvr())
