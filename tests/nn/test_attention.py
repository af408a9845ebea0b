"""Two-token attention against a loop over impressions and tokens, written out number by number."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from postclick.nn.attention import CausalTransfer, TwoTokenAttention

DIM, SOURCES, N = 4, 6, 7


def tokens(n: int = N, width: int = DIM, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, width, generator=generator, dtype=torch.float64)


def affine(weight: Tensor, bias: Tensor | None, x: list[float]) -> list[float]:
    rows = weight.tolist()
    offset = [0.0] * len(rows) if bias is None else bias.tolist()
    return [
        sum(a * b for a, b in zip(row, x, strict=True)) + o
        for row, o in zip(rows, offset, strict=True)
    ]


def slow_attention(module: TwoTokenAttention, first: Tensor, second: Tensor) -> list[list[float]]:
    """Each impression by itself, in Python numbers."""
    mixed = []
    for pair in zip(first.tolist(), second.tolist(), strict=True):
        scores, values = [], []
        for token in pair:
            projected = affine(module.layer.weight, module.layer.bias, token)
            query, key, value = (projected[k * DIM : (k + 1) * DIM] for k in range(3))
            scores.append(sum(a * b for a, b in zip(query, key, strict=True)) / math.sqrt(DIM))
            values.append(value)
        share = 1 / (1 + math.exp(scores[1] - scores[0]))
        mixed.append(
            [share * a + (1 - share) * b for a, b in zip(values[0], values[1], strict=True)]
        )
    return mixed


@pytest.mark.parametrize("bias", [True, False])
def test_attention_equals_a_slow_loop(bias: bool) -> None:
    torch.manual_seed(0)
    module = TwoTokenAttention(DIM, bias).double()
    assert (module.layer.bias is not None) == bias
    first, second = 3 * tokens(seed=1), 3 * tokens(seed=2)
    expected = torch.tensor(slow_attention(module, first, second), dtype=torch.float64)
    torch.testing.assert_close(module(first, second), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("project", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_transfer_equals_a_slow_loop(bias: bool, project: bool) -> None:
    torch.manual_seed(1)
    sources = SOURCES if project else DIM
    module = CausalTransfer(sources, DIM, bias=bias, project=project).double()
    source, target = tokens(width=sources, seed=1), tokens(seed=2)
    token = source
    if project:
        linear = module.info[0]
        assert isinstance(linear, nn.Linear)
        rows = [affine(linear.weight, linear.bias, x) for x in source.tolist()]
        token = torch.tensor([[max(a, 0.0) for a in row] for row in rows], dtype=torch.float64)
    expected = torch.tensor(slow_attention(module.attention, token, target), dtype=torch.float64)
    torch.testing.assert_close(module(source, target), expected, rtol=1e-12, atol=1e-12)


def test_attention_does_not_tell_the_order_of_the_tokens() -> None:
    torch.manual_seed(2)
    module = TwoTokenAttention(DIM, bias=True).double()
    first, second = tokens(seed=1), tokens(seed=2)
    torch.testing.assert_close(module(first, second), module(second, first))


def test_equal_tokens_give_their_value() -> None:
    torch.manual_seed(3)
    module = TwoTokenAttention(DIM, bias=True).double()
    token = tokens()
    torch.testing.assert_close(module(token, token), module.layer(token)[:, 2 * DIM :])


def test_large_scores_stay_finite() -> None:
    module = TwoTokenAttention(DIM, bias=True)
    first, second = (1e4 * tokens(seed=k).float().requires_grad_() for k in (1, 2))
    first.retain_grad()
    mixed = module(first, second)
    mixed.sum().backward()
    assert mixed.isfinite().all()
    assert first.grad is not None
    assert first.grad.isfinite().all()


@pytest.mark.parametrize("n", [0, 1])
def test_small_batches_keep_their_shape(n: int) -> None:
    module = CausalTransfer(SOURCES, DIM, bias=False)
    assert module(torch.zeros(n, SOURCES), torch.zeros(n, DIM)).shape == (n, DIM)


def test_dropout_falls_on_the_source_only() -> None:
    torch.manual_seed(4)
    module = CausalTransfer(SOURCES, DIM, bias=True, dropout=0.9)
    source, target = tokens(width=SOURCES).float(), tokens(seed=2).float()
    dropped = module(source, target)
    assert not torch.equal(dropped, module(source, target))
    module.eval()
    kept = module(source, target)
    assert torch.equal(kept, module(source, target))
    with torch.no_grad():
        module.info[0].weight.zero_()
        module.info[0].bias.zero_()
    kept = module(source, target)
    module.train()
    assert torch.equal(module(source, target), kept)


def test_unprojected_tokens_need_one_width() -> None:
    with pytest.raises(ValueError, match="width 6 and 4"):
        CausalTransfer(SOURCES, DIM, bias=True, project=False)
