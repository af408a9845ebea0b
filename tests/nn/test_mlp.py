"""Fully connected layers against a slow loop."""

import numpy as np
import pytest
import torch

from postclick.nn.mlp import MLP

WIDTHS = (6, 5, 4)


def batch(n: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(n).normal(size=(n, 3)))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_activations_are_the_relu_outputs_of_each_layer(n: int) -> None:
    torch.manual_seed(0)
    mlp = MLP(3, WIDTHS).double()
    x = below = batch(n)
    outputs = mlp.activations(x)
    assert [o.shape for o in outputs] == [(n, w) for w in WIDTHS]
    for linear, output in zip(mlp.linear, outputs, strict=True):
        weight, bias = linear.get_parameter("weight"), linear.get_parameter("bias")
        below = torch.clamp(below @ weight.T + bias, min=0.0)
        torch.testing.assert_close(output, below, rtol=1e-13, atol=1e-15)
    assert mlp.width == WIDTHS[-1]
    torch.testing.assert_close(mlp(x), outputs[-1], rtol=0, atol=0)


def test_no_widths_pass_the_input_through() -> None:
    mlp = MLP(3, ())
    x = batch(4)
    assert mlp(x) is x
    assert mlp.width == 3
    assert mlp.activations(x) == []


def test_dropout_follows_every_layer_in_training_only() -> None:
    torch.manual_seed(0)
    mlp = MLP(3, WIDTHS, dropout=0.5).double()
    x = batch(200)
    outputs = mlp.activations(x)
    torch.manual_seed(3)
    dropped = mlp(x)
    torch.manual_seed(3)
    activations = mlp.activations(x)
    expected = mlp.dropout(activations[-1])
    torch.testing.assert_close(dropped, expected, rtol=0, atol=0)
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], 2 * activations[-1][kept])
    assert 0.3 < kept.double().mean() / (activations[-1] != 0).double().mean() < 0.7
    # The first layer sees the input itself, the second a dropped first layer.
    torch.testing.assert_close(outputs[0], activations[0], rtol=0, atol=0)
    assert not torch.equal(outputs[1], activations[1])
    mlp.eval()
    torch.testing.assert_close(mlp(x), mlp.activations(x)[-1], rtol=0, atol=0)


def test_batch_norm_normalises_before_relu() -> None:
    torch.manual_seed(0)
    mlp = MLP(3, (4,), batch_norm=True).double()
    x = batch(50)
    linear = mlp.linear[0](x)
    normal = (linear - linear.mean(0)) / (linear.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(mlp(x), normal.clamp(min=0))


@pytest.mark.parametrize("n", [0, 1])
def test_batch_norm_trains_on_fewer_than_two_rows(n: int) -> None:
    """The last batch of a pass may be one row: it has no variance, the running one is used."""
    torch.manual_seed(0)
    mlp = MLP(3, WIDTHS, batch_norm=True).double()
    for _ in range(3):
        mlp(batch(50))
    before = {name: value.clone() for name, value in mlp.state_dict().items()}
    out = mlp(batch(n))
    assert out.shape == (n, WIDTHS[-1])
    out.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in mlp.parameters() if p.grad is not None)
    for name, value in mlp.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, msg=name)
    torch.testing.assert_close(out, mlp.eval()(batch(n)), rtol=0, atol=0)
