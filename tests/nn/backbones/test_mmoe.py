"""MMoE against a slow loop over experts and gates."""

import numpy as np
import pytest
import torch
from torch import Tensor

from postclick.methods.networks.conditioning import Conditioned, OuterProductLinear
from postclick.nn.backbones.mmoe import MMoE, MMoEOptions
from postclick.nn.config import NetworkConfig

INPUTS, TASKS = 4, 3
CONFIG = MMoEOptions(experts=5, expert_width=6, expert_dropout=0.0)
NETWORK = NetworkConfig()


def batch(n: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(n).normal(size=(n, INPUTS)))


def slow_mmoe(mmoe: MMoE, x: Tensor, linear: "Linear") -> list[Tensor]:
    """Row by row, expert by expert, gate by gate, from the one weight matrix."""
    experts, width = CONFIG.experts, CONFIG.expert_width
    tasks = []
    for task in range(TASKS):
        rows = []
        for i in range(x.shape[0]):
            outputs = [
                torch.clamp(linear(x, i, slice(e * width, (e + 1) * width)), min=0.0)
                for e in range(experts)
            ]
            start = experts * width + task * experts
            scores = linear(x, i, slice(start, start + experts)).exp()
            rows.append(sum(scores[e] / scores.sum() * outputs[e] for e in range(experts)))
        tasks.append(torch.stack(rows) if rows else torch.zeros(0, width, dtype=x.dtype))
    return tasks


class Linear:
    """Some outputs of a plain or an outer-product layer for row i."""

    def __init__(self, mmoe: MMoE, probability: Tensor | None = None) -> None:
        self.layer, self.probability = mmoe.layer, probability

    def __call__(self, x: Tensor, i: int, outputs: slice) -> Tensor:
        weight, bias = self.layer.get_parameter("weight"), self.layer.get_parameter("bias")
        read = x[i]
        if self.probability is not None:
            assert isinstance(self.layer, OuterProductLinear)
            e = self.probability[i] * self.layer.project.weight[:, 0] + self.layer.project.bias
            read = torch.outer(x[i], e).flatten()
        return weight.flatten(1)[outputs] @ read + bias[outputs]


@pytest.mark.parametrize("conditioned", [False, True])
@pytest.mark.parametrize("n", [0, 1, 5])
def test_mmoe_equals_a_slow_loop(n: int, conditioned: bool) -> None:
    torch.manual_seed(0)
    first = OuterProductLinear if conditioned else torch.nn.Linear
    mmoe = MMoE(INPUTS, TASKS, CONFIG, NETWORK, first).double()
    x = batch(n)
    p = torch.linspace(0.1, 0.9, n, dtype=torch.float64) if conditioned else None
    found = mmoe(x if p is None else Conditioned(x, p))
    expected = slow_mmoe(mmoe, x, Linear(mmoe, p))
    assert len(found) == TASKS
    for a, b in zip(found, expected, strict=True):
        assert a.shape == (n, CONFIG.expert_width)
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)
    names = [name for name, _ in mmoe.named_parameters()]
    gradients = torch.autograd.grad(sum(t.square().sum() for t in found), list(mmoe.parameters()))
    slow = torch.autograd.grad(
        sum(t.square().sum() for t in expected) + 0 * mmoe.layer.get_parameter("bias").sum(),
        list(mmoe.parameters()),
        allow_unused=n == 0,
    )
    for name, a, b in zip(names, gradients, slow, strict=True):
        expected_gradient = torch.zeros_like(a) if b is None else b
        torch.testing.assert_close(a, expected_gradient, rtol=1e-11, atol=1e-13, msg=name)


def test_mmoe_drops_expert_outputs_in_training_only() -> None:
    torch.manual_seed(0)
    dropping = CONFIG.model_copy(update={"expert_dropout": 0.5})
    mmoe = MMoE(INPUTS, TASKS, dropping, NETWORK).double()
    x = batch(20)
    assert not torch.equal(mmoe(x)[0], mmoe(x)[0])
    mmoe.eval()
    torch.testing.assert_close(mmoe(x)[0], slow_mmoe(mmoe, x, Linear(mmoe))[0])
