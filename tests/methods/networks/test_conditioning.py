"""The outer product is never made, and yet it is exactly there."""

import numpy as np
import pytest
import torch

from postclick.methods.networks.conditioning import CONDITION_DIM, Conditioned, OuterProductLinear


def explicit(layer: OuterProductLinear, conditioned: Conditioned) -> torch.Tensor:
    """flatten(x outer e) @ W^T + b, element by element."""
    x, p = conditioned
    e = p.unsqueeze(1) @ layer.project.weight.T + layer.project.bias
    columns = [x[:, i] * e[:, j] for i in range(x.shape[1]) for j in range(e.shape[1])]
    wide = torch.stack(columns, dim=1)
    weight = layer.weight.reshape(layer.weight.shape[0], -1)
    assert wide.shape[1] == weight.shape[1]
    return wide @ weight.T + layer.bias


@pytest.mark.parametrize(("inputs", "outputs", "k"), [(7, 4, CONDITION_DIM), (3, 1, 2), (1, 5, 1)])
@pytest.mark.parametrize("n", [0, 1, 9])
def test_equals_the_explicit_outer_product(n: int, inputs: int, outputs: int, k: int) -> None:
    torch.manual_seed(0)
    layer = OuterProductLinear(inputs, outputs, k).double()
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(size=(n, inputs))).requires_grad_()
    p = torch.from_numpy(rng.random(n)).requires_grad_()
    slopes = torch.from_numpy(rng.normal(size=(n, outputs)))
    wanted = [x, p, *layer.parameters()]
    results = []
    for out in (layer(Conditioned(x, p)), explicit(layer, Conditioned(x, p))):
        gradients = torch.autograd.grad((out * slopes).sum(), wanted)
        results.append([out, *gradients])
    for found, expected in zip(*results, strict=True):
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_it_has_the_weights_of_a_linear_layer_on_5d_columns() -> None:
    layer = OuterProductLinear(18, 4)
    assert CONDITION_DIM == 5
    assert layer.weight.numel() == 4 * 5 * 18
    assert layer.bias.shape == (4,)
    # torch's own start for that width: uniform within 1 / sqrt(columns).
    bound = (5 * 18) ** -0.5
    assert 0.9 * bound < layer.weight.abs().max() <= bound
    torch.manual_seed(0)
    wide = torch.nn.Linear(5 * 18, 4)
    torch.manual_seed(0)
    same = OuterProductLinear(18, 4)
    torch.testing.assert_close(same.weight.reshape(4, -1), wide.weight, rtol=0, atol=0)


def test_the_probability_matters_through_a_product_with_x() -> None:
    torch.manual_seed(0)
    layer = OuterProductLinear(3, 2).double()
    zero = torch.zeros(4, 3, dtype=torch.float64)
    p = torch.linspace(0, 1, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(Conditioned(zero, p)), layer.bias.expand(4, 2))
    out = layer(Conditioned(zero + 1, p))
    assert (out[0] != out[3]).all()
