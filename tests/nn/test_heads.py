"""Heads start at their base rates; serving runs only the heads it needs."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from postclick.methods.networks.conditioning import Conditioned, OuterProductLinear
from postclick.nn.backbones import BACKBONES
from postclick.nn.config import NetworkConfig
from postclick.nn.heads import Head, HeadNetwork, first_activations, full_precision

INPUTS = 12
RATES = {"ctr": 0.04, "cvr": 0.3, "uncvr": 0.7}
CONFIG = NetworkConfig(tower=(16, 8), expert_width=16, bottom=())


def batch(n: int, scale: float = 0.01) -> Tensor:
    """Inputs as small as fresh embeddings are."""
    return torch.from_numpy(np.random.default_rng(n).normal(scale=scale, size=(n, INPUTS))).float()


def network(backbone: str, config: NetworkConfig = CONFIG, seed: int = 0) -> HeadNetwork:
    torch.manual_seed(seed)
    return HeadNetwork(INPUTS, RATES, config, backbone).eval()


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("seed", range(4))
def test_outputs_start_at_base_rates(seed: int, backbone: str) -> None:
    net = network(backbone, NetworkConfig(), seed)
    for name, rate in RATES.items():
        last = net.heads[name].last
        start = math.log(rate / (1 - rate))
        assert last.get_parameter("bias").item() == pytest.approx(start, rel=1e-6)
        # What the random weights of the last layer add to it is little.
        assert net(batch(50))[name].logit.mean().item() == pytest.approx(start, abs=0.35)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_only_runs_the_named_heads_and_changes_nothing(backbone: str) -> None:
    net = network(backbone)
    x = batch(6)
    calls: list[str] = []
    for name, head in net.heads.items():
        head.register_forward_hook(lambda *_, name=name: calls.append(name))
    full = net(x)
    assert list(full) == list(RATES) == calls
    calls.clear()
    some = net(x, only=("cvr", "ctr"))
    assert list(some) == ["ctr", "cvr"] == calls
    for name, output in some.items():
        torch.testing.assert_close(output.logit, full[name].logit, rtol=0, atol=0)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("n", [0, 1, 5])
def test_logits_come_from_the_last_activation_of_each_tower(n: int, backbone: str) -> None:
    net = network(backbone)
    x = batch(n, scale=1.0)
    representations = net.backbone(x)
    for (name, head), read in zip(net.heads.items(), representations, strict=True):
        out = net(x)[name]
        assert out.logit.shape == (n,)
        assert [a.shape for a in out.activations] == [(n, 16), (n, 8)]
        slow = read
        for linear in head.tower.linear:
            slow = linear(slow).relu()
        torch.testing.assert_close(out.activations[-1], slow)
        torch.testing.assert_close(out.logit, head.last(slow).squeeze(1))


def test_towers_share_nothing_but_the_backbone() -> None:
    net = network("mmoe")
    net(batch(8, scale=1.0))["cvr"].logit.sum().backward()
    reached = {name for name, p in net.named_parameters() if p.grad is not None}
    assert {name.split(".")[1] for name in reached if name.startswith("heads")} == {"cvr"}
    assert any(name.startswith("backbone") for name in reached)


@pytest.mark.parametrize("tower", [(), (4,)])
@pytest.mark.parametrize("layers", [(OuterProductLinear, nn.Linear), (nn.Linear, nn.Linear)])
def test_a_head_without_a_tower_is_one_layer(tower: tuple[int, ...], layers: tuple) -> None:
    head = Head(INPUTS, NetworkConfig(tower=tower), 0.1, *layers)
    x = batch(5)
    conditioned = layers[0] is OuterProductLinear
    out = head(Conditioned(x, torch.rand(5)) if conditioned else x)
    assert out.logit.shape == (5,)
    assert len(out.activations) == len(tower)
    readers = [m for m in head.modules() if isinstance(m, OuterProductLinear)]
    assert len(readers) == conditioned


def test_losses_never_see_bfloat16() -> None:
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        wanted = torch.float64 if dtype == torch.float64 else torch.float32
        assert full_precision(torch.zeros(1, dtype=dtype)).dtype == wanted
    with torch.autocast("cpu", torch.bfloat16):
        out = network("mmoe")(batch(3))["ctr"].logit
    assert out.dtype == torch.float32


@pytest.mark.parametrize("bottom", [(), (16,)])
@pytest.mark.parametrize("only", [None, ("ctr", "cvr")])
def test_towers_that_read_the_same_are_begun_by_one_product(
    bottom: tuple[int, ...], only: tuple[str, ...] | None
) -> None:
    """Outputs and gradients are those of each tower by itself."""
    torch.manual_seed(0)
    config = NetworkConfig(bottom=bottom, tower=(8, 4))
    rates = {"ctr": 0.1, "uncvr": 0.9, "cvr": 0.2}
    net = HeadNetwork(6, rates, config, "share_bottom").double()
    x = torch.randn(11, 6, dtype=torch.float64)
    gradients = []
    for together in (True, False):
        net.zero_grad()
        if together:
            found = net(x, only=only)
        else:
            read = net.backbone(x)[0]
            found = {name: net.heads[name](read) for name in (only or rates)}
        total = torch.stack([output.logit.square().sum() for output in found.values()]).sum()
        total = total + sum(a.sum() for output in found.values() for a in output.activations)
        total.backward()
        gradients.append((found, {n: p.grad for n, p in net.named_parameters()}))
    (one, first), (each, second) = gradients
    assert set(one) == set(each) == set(only or rates)
    for name in one:
        torch.testing.assert_close(one[name].logit, each[name].logit)
        torch.testing.assert_close(one[name].activations, each[name].activations)
    for name, gradient in first.items():
        if gradient is None:
            assert second[name] is None
        else:
            torch.testing.assert_close(gradient, second[name])


@pytest.mark.parametrize(
    "changes", [{"batch_norm": True}, {"tower": ()}, {"backbone": "mmoe"}], ids=str
)
def test_towers_that_differ_are_left_alone(changes: dict[str, Any]) -> None:
    config = NetworkConfig.model_validate({"tower": (8, 4), **changes})
    kind = changes.get("backbone", "share_bottom")
    net = HeadNetwork(6, {"ctr": 0.1, "cvr": 0.2}, config, kind)
    x = torch.randn(11, 6)
    assert first_activations(dict(net.heads.items()), net.backbone(x)) == {}
    assert net(x)["ctr"].logit.shape == (11,)
