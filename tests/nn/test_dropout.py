"""The compiled dropout against what dropout is, and against its own seed."""

import pytest
import torch
from torch import Tensor

from postclick.nn import dropout
from postclick.nn.dropout import Dropout, dropped


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5, 0.9])
def test_the_share_and_the_mean_are_those_of_dropout(probability: float) -> None:
    torch.manual_seed(0)
    n = 400_000
    out = Dropout(probability)(torch.ones(n))
    share = float((out == 0).double().mean())
    assert abs(share - probability) < 5 * (probability * (1 - probability) / n) ** 0.5
    kept = out[out != 0].unique()
    assert kept.numel() == 1
    assert float(kept) == pytest.approx(1 / (1 - probability), rel=1e-6)


def test_neighbours_columns_and_calls_are_independent() -> None:
    torch.manual_seed(0)
    layer = Dropout(0.3)
    first, second = (layer(torch.ones(1000, 512)) != 0 for _ in range(2))
    kept = [mask.double() for mask in (first, second)]

    def correlation(a: Tensor, b: Tensor) -> float:
        return abs(float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]))

    bound = 5 / 512_000**0.5
    assert correlation(kept[0], kept[1]) < bound
    assert correlation(kept[0][:, :-1], kept[0][:, 1:]) < bound
    assert correlation(kept[0][:-1], kept[0][1:]) < bound
    assert float((kept[0].mean(dim=0) - 0.7).abs().max()) < 5 * (0.21 / 1000) ** 0.5
    assert float((kept[0].mean(dim=1) - 0.7).abs().max()) < 5 * (0.21 / 512) ** 0.5


def test_the_gradient_goes_through_the_same_mask() -> None:
    torch.manual_seed(0)
    x = torch.randn(37, 13, requires_grad=True)
    out = Dropout(0.4)(x)
    direction = torch.randn(37, 13)
    (out * direction).sum().backward()
    assert x.grad is not None
    mask = torch.where(out == 0, 0.0, 1 / 0.6)
    torch.testing.assert_close(out, x * mask)
    torch.testing.assert_close(x.grad, direction * mask)


def test_the_seed_of_torch_repeats_it() -> None:
    x = torch.ones(1000)
    outs = []
    for _ in range(2):
        torch.manual_seed(3)
        outs.append(Dropout(0.5)(x))
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], Dropout(0.5)(x))


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropout, "ELEMENTS_PER_PART", 1)
    x = torch.randn(10_001)
    before, outs = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            outs.append(dropped(x, 0.3, seed=2**61 + 12345))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(outs[0], outs[1])


def test_evaluation_and_zero_change_nothing() -> None:
    x = torch.randn(5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types_take_torch_s_own(dtype: torch.dtype) -> None:
    out = Dropout(0.5)(torch.ones(10_000, dtype=dtype))
    assert out.dtype == dtype
    assert abs(float((out == 0).float().mean()) - 0.5) < 0.05


def test_a_view_with_strides_and_an_empty_tensor() -> None:
    x = torch.randn(6, 8)[:, ::2]
    out = Dropout(0.5)(x)
    assert out.shape == x.shape
    torch.testing.assert_close(out, torch.where(out == 0, 0.0, 2.0) * x)
    assert Dropout(0.5)(torch.empty(0, 3)).shape == (0, 3)


def test_after_relu_is_dropout_of_relu_with_its_gradient() -> None:
    torch.manual_seed(0)
    weight = torch.randn(50, 30, requires_grad=True)
    layer, direction = Dropout(0.3), torch.randn(50, 30)
    hidden = weight * 1.0
    out = layer.after_relu(hidden)
    assert out.data_ptr() == hidden.data_ptr(), "in place"
    (out * direction).sum().backward()
    assert weight.grad is not None
    start = weight.detach()
    positive = start > 0
    assert bool((out[~positive] == 0).all())
    kept = out != 0
    assert 0.6 < float(kept[positive].float().mean()) < 0.8
    torch.testing.assert_close(out[kept], start[kept] / 0.7)
    torch.testing.assert_close(weight.grad, torch.where(kept, direction / 0.7, 0.0))


def test_after_relu_elsewhere_is_the_plain_one() -> None:
    x = torch.randn(40, 6)
    assert torch.equal(Dropout(0.5).eval().after_relu(x.clone()), x.relu())
    assert torch.equal(Dropout(0.0).after_relu(x.clone()), x.relu())
    strided = Dropout(0.5).after_relu(x.clone()[:, ::2])
    assert bool(((strided == 0) | (strided == 2 * x[:, ::2].relu())).all())
    double = Dropout(0.5).after_relu(x.double())
    assert bool(((double == 0) | (double == 2 * x.double().relu())).all())


def test_what_is_not_a_number_stays_so() -> None:
    x = torch.full((1000,), float("nan"))
    out = Dropout(0.5).after_relu(x.clone())
    assert 300 < int(out.isnan().sum()) < 700
    assert bool((out[~out.isnan()] == 0).all())
