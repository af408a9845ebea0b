"""EVI's teacher on any backbone: layers made for its condition, or the product itself."""

from typing import Any

import pytest
import torch
from torch import nn

from helpers.foreign_backbone import FOREIGN
from postclick.methods.networks.conditioning import (
    CONDITION_DIM,
    Conditioned,
    OuterProduct,
    OuterProductLinear,
)
from postclick.methods.networks.evi import Teacher
from postclick.nn.backbones import BACKBONES, find_backbone
from postclick.nn.config import NetworkConfig

INPUTS, RATE = 6, 0.1


def teacher(kind: str, condition_at: str = "input", **options: Any) -> Teacher:
    torch.manual_seed(0)
    sizes = {"tower": (8, 4), "experts": 3, "expert_width": 5, "expert_dropout": 0.0, "deep": (5,)}
    config = NetworkConfig.model_validate({**sizes, **options})
    return Teacher(INPUTS, RATE, condition_at, config, kind).double()


def test_the_product_is_the_outer_one() -> None:
    torch.manual_seed(0)
    product = OuterProduct(3).double()
    x, p = torch.randn(4, INPUTS).double(), torch.rand(4).double()
    found = product(Conditioned(x, p))
    for i in range(4):
        e = p[i] * product.project.weight[:, 0] + product.project.bias
        torch.testing.assert_close(found[i], torch.outer(x[i], e).flatten(), rtol=1e-14, atol=0)


TAKING = [kind for kind, backbone in BACKBONES.items() if backbone.takes_first_layer]


@pytest.mark.parametrize("bottom", [(), (5,)])
@pytest.mark.parametrize("kind", TAKING)
def test_both_ways_are_the_same(
    kind: str, bottom: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the weights of one in the other, outputs and gradients are equal."""
    fast = teacher(kind, bottom=bottom)
    monkeypatch.setattr(find_backbone(kind), "takes_first_layer", False)
    wide = teacher(kind, bottom=bottom)
    assert fast.product is None and wide.product is not None
    assert not any(isinstance(m, OuterProductLinear) for m in wide.modules())
    layers = [(n, m) for n, m in fast.named_modules() if isinstance(m, OuterProductLinear)]
    ((name, first),) = layers
    state = {n: t for n, t in fast.state_dict().items() if not n.startswith(f"{name}.")}
    state |= {f"product.project.{n}": t for n, t in first.project.state_dict().items()}
    state |= {f"{name}.weight": first.weight.flatten(1), f"{name}.bias": first.bias}
    wide.load_state_dict(state)
    x = torch.randn(7, INPUTS, dtype=torch.float64, requires_grad=True)
    p = torch.rand(7, dtype=torch.float64, requires_grad=True)
    results = []
    for model in (fast, wide):
        out = model(x, p)
        gradients = torch.autograd.grad(out.logit.square().sum(), [x, p, *_of(model, name)])
        results.append([out.logit, *out.activations, *gradients])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a.flatten(1) if a.dim() == 3 else a, b, rtol=1e-10, atol=1e-12)


def _of(model: Teacher, name: str) -> list[nn.Parameter]:
    project = f"{name}.project" if model.product is None else "product.project"
    return [
        model.get_parameter(n)
        for n in (f"{name}.weight", f"{name}.bias", f"{project}.weight", f"{project}.bias")
    ]


@pytest.mark.parametrize("condition_at", ["input", "representation", "none"])
@pytest.mark.parametrize("kind", [*BACKBONES, FOREIGN])
def test_it_reads_the_condition_on_every_backbone(kind: str, condition_at: str) -> None:
    model = teacher(kind, condition_at)
    x = torch.randn(7, INPUTS, dtype=torch.float64)
    outputs = [model(x, torch.full((7,), p, dtype=torch.float64)).logit for p in (0.1, 0.9)]
    assert outputs[0].shape == (7,)
    assert torch.equal(*outputs) == (condition_at == "none")
    if model.product is not None:
        first = next(m for m in model.backbone.modules() if isinstance(m, nn.Linear))
        assert first.in_features == CONDITION_DIM * INPUTS
