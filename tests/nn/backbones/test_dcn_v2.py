"""DCN-v2 against numpy, which makes every product of the cross network one by one."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from pydantic import ValidationError

from postclick.nn.backbones.dcn_v2 import DcnV2, DcnV2Options
from postclick.nn.config import NetworkConfig

INPUTS, TASKS = 5, 3
Array = npt.NDArray[np.float64]


def weights(module: torch.nn.Module) -> dict[str, Array]:
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}


def slow(w: dict[str, Array], x: Array, options: DcnV2Options) -> Array:
    """Row by row and column by column."""
    rows = []
    for row in x:
        crossed = row.copy()
        for k in range(options.cross_layers):
            if options.cross_rank is None:
                matrix, bias = w[f"cross.{k}.weight.weight"], w[f"cross.{k}.weight.bias"]
            else:
                # W = U V': the first layer holds V', the second U.
                matrix = w[f"cross.{k}.weight.1.weight"] @ w[f"cross.{k}.weight.0.weight"]
                bias = w[f"cross.{k}.weight.1.bias"]
            crossed = np.array(
                [
                    row[i] * (sum(matrix[i, j] * crossed[j] for j in range(INPUTS)) + bias[i])
                    + crossed[i]
                    for i in range(INPUTS)
                ]
            )
        hidden = row if options.structure == "parallel" else crossed
        for k in range(len(options.deep)):
            hidden = np.maximum(
                w[f"deep.linear.{k}.weight"] @ hidden + w[f"deep.linear.{k}.bias"], 0
            )
        rows.append(
            np.concatenate([crossed, hidden]) if options.structure == "parallel" else hidden
        )
    return np.stack(rows) if rows else np.zeros((0, w["deep.linear.0.bias"].size))


@pytest.mark.parametrize("n", [0, 1, 6])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"cross_layers": 1},
        {"cross_layers": 4, "cross_rank": 2},
        {"structure": "parallel", "deep": [6]},
        {"structure": "parallel", "cross_rank": 1, "deep": [6, 3]},
        {"deep": []},
    ],
    ids=str,
)
def test_it_equals_numpy(n: int, given: dict[str, Any]) -> None:
    torch.manual_seed(0)
    options = DcnV2Options.model_validate({"deep": [7, 4], **given})
    backbone = DcnV2(INPUTS, TASKS, options, NetworkConfig()).double()
    x = np.random.default_rng(n).normal(size=(n, INPUTS))
    found = backbone(torch.from_numpy(x))
    assert len(found) == TASKS
    assert all(other is found[0] for other in found), "one encoder for all"
    assert found[0].shape == (n, backbone.width)
    if n:
        expected = slow(weights(backbone), x, options)
        np.testing.assert_allclose(found[0].detach().numpy(), expected, rtol=1e-11, atol=1e-13)


def test_each_layer_raises_the_degree_by_one() -> None:
    """With input a x, and no bias, L layers give a polynomial in a of degree L + 1."""
    torch.manual_seed(1)
    options = DcnV2Options(cross_layers=3, deep=())
    backbone = DcnV2(INPUTS, 1, options, NetworkConfig()).double()
    with torch.no_grad():
        for layer in backbone.cross:
            layer.get_parameter("weight.bias").zero_()
        x = torch.randn(1, INPUTS, dtype=torch.float64)
        scales = np.arange(1, 8, dtype=np.float64)
        values = np.array([backbone(float(a) * x)[0][0, 0].item() for a in scales])
    # Lowest power first; what is above the fourth power is rounding.
    powers = np.linalg.solve(np.vander(scales, increasing=True), values)
    assert abs(powers[4]) > 1e-3
    assert np.abs(powers[[0, 5, 6]]).max() < 1e-9


def test_a_low_rank_has_fewer_weights() -> None:
    sizes = []
    for rank in (None, 2):
        options = DcnV2Options(cross_layers=3, cross_rank=rank, deep=())
        backbone = DcnV2(40, 1, options, NetworkConfig())
        sizes.append(sum(p.numel() for p in backbone.parameters()))
    assert sizes == [3 * (40 * 40 + 40), 3 * (2 * 2 * 40 + 40)]


def test_parallel_without_deep_layers_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"set deep=\[128\], or structure=stacked"):
        DcnV2Options(structure="parallel", deep=())


def test_dropout_is_that_of_the_network() -> None:
    torch.manual_seed(0)
    backbone = DcnV2(INPUTS, 1, DcnV2Options(), NetworkConfig(dropout=0.5))
    x = torch.randn(20, INPUTS)
    assert not torch.equal(backbone(x)[0], backbone(x)[0])
    backbone.eval()
    assert torch.equal(backbone(x)[0], backbone(x)[0])
