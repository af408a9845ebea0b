"""Attention of a list to a target against a numpy loop over its elements."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from postclick.nn.config import NetworkConfig
from postclick.nn.embedding import BagTensors, FeatureEmbedding
from postclick.nn.target_attention import TargetAttention

FIELDS, BAGS, DIM = (5, 4), (6, 3), 3
FIRST = np.cumsum([0, *FIELDS, *BAGS])
COUNTS = [[2, 0, 3, 0, 1], [0, 0, 0, 4, 0]]
Array = npt.NDArray[np.float64]


def embedding(*targets: int | None, widths: tuple[int, ...] = (7, 4)) -> FeatureEmbedding:
    torch.manual_seed(0)
    config = NetworkConfig(attention=widths, embedding_std=1.0)
    made = FeatureEmbedding(FIELDS, BAGS, 0, DIM, config, targets).double()
    with torch.no_grad():
        for parameter in made.attention.parameters():
            parameter.normal_()
    return made


def batch(rows: int = 5) -> tuple[Tensor, Tensor, list[BagTensors]]:
    rng = np.random.default_rng(rows)
    ids = np.stack([FIRST[k] + rng.integers(0, s, rows) for k, s in enumerate(FIELDS)], axis=1)
    bags = []
    for k, size in enumerate(BAGS):
        counts = COUNTS[k][:rows]
        values = FIRST[len(FIELDS) + k] + rng.integers(0, size, sum(counts))
        offsets = np.cumsum([0, *counts])[:-1].astype(np.int64)
        weights = rng.normal(size=sum(counts))
        bags.append(tuple(map(torch.from_numpy, (values, offsets, weights))))
    return torch.from_numpy(ids), torch.zeros(rows, 0, dtype=torch.float64), bags


def score(layers: list[tuple[Array, Array]], h: Array, t: Array) -> float:
    hidden = np.concatenate([h, t, h - t, h * t])
    for number, (weight, bias) in enumerate(layers):
        hidden = weight @ (np.maximum(hidden, 0) if number else hidden) + bias
    return float(hidden[0])


def slow(features: FeatureEmbedding, bag: int, target: int) -> Array:
    ids, _, bags = (batch()[k] for k in range(3))
    table = features.table.detach().numpy()
    layers = [
        tuple(layer.get_parameter(n).detach().numpy() for n in ("weight", "bias"))
        for layer in features.attention[str(bag)].layers
    ]
    values, offsets, weights = (tensor.numpy() for tensor in bags[bag])
    ends = [*offsets[1:], len(values)]
    pooled = np.zeros((len(ids), DIM))
    for row, (start, end) in enumerate(zip(offsets, ends, strict=True)):
        t = table[ids[row, target]]
        for k in range(start, end):
            h = table[values[k]]
            pooled[row] += score(layers, h, t) * weights[k] * h  # type: ignore[arg-type]
    return pooled


@pytest.mark.parametrize("widths", [(7, 4), (5,), ()])
@pytest.mark.parametrize("targets", [(1, None), (None, 0), (0, 0)])
def test_it_equals_a_numpy_loop(targets: tuple[int | None, ...], widths: tuple[int, ...]) -> None:
    features = embedding(*targets, widths=widths)
    plain = embedding()
    found, without = features(*batch()), plain(*batch())
    assert found.shape == without.shape == (5, features.width)
    for bag in range(len(BAGS)):
        start = (len(FIELDS) + bag) * DIM
        block = found[:, start : start + DIM].detach().numpy()
        target = targets[bag]
        if target is None:
            assert torch.equal(found[:, start : start + DIM], without[:, start : start + DIM])
        else:
            np.testing.assert_allclose(block, slow(features, bag, target), rtol=1e-12, atol=1e-13)
            assert (block[np.array(COUNTS[bag]) == 0] == 0).all(), "an empty list is 0"
    assert torch.equal(found[:, : len(FIELDS) * DIM], without[:, : len(FIELDS) * DIM])


def test_everything_else_starts_as_it_does_without() -> None:
    torch.manual_seed(0)
    plain = FeatureEmbedding(FIELDS, BAGS, 2, DIM, NetworkConfig(numeric="project"))
    torch.manual_seed(0)
    attended = FeatureEmbedding(FIELDS, BAGS, 2, DIM, NetworkConfig(numeric="project"), (0, 1))
    both = attended.state_dict()
    assert all(torch.equal(tensor, both[name]) for name, tensor in plain.state_dict().items())
    assert set(both) - set(plain.state_dict()) and list(plain.attention) == []


def test_without_weights_it_starts_as_a_sum() -> None:
    """The last bias is 1; its weights are what training turns into attention."""
    torch.manual_seed(0)
    attention = TargetAttention(DIM, (5,))
    with torch.no_grad():
        attention.layers[-1].get_parameter("weight").zero_()
    assert torch.equal(attention(torch.randn(2, 4, DIM), torch.randn(2, 1, DIM)), torch.ones(2, 4))


def test_gradients_equal_the_dense_ones() -> None:
    """Against plain indexing, element by element, through table and layers."""
    features = embedding(1, 0)
    ids, numeric, bags = batch()
    slopes = torch.from_numpy(np.random.default_rng(1).normal(size=(5, features.width)))
    (features(ids, numeric, bags) * slopes).sum().backward()
    assert features.table.grad is not None and features.table.grad.is_sparse
    found = [features.table.grad.to_dense(), *(p.grad for p in features.attention.parameters())]

    parameters = [features.table, *features.attention.parameters()]
    rows = []
    for i in range(5):
        blocks = [features.table[ids[i]].flatten()]
        for number, (values, offsets, weights) in enumerate(bags):
            ends = [*offsets.tolist()[1:], len(values)]
            t, pooled = features.table[ids[i, (1, 0)[number]]], torch.zeros(DIM).double()
            for k in range(int(offsets[i]), ends[i]):
                h = features.table[values[k]]
                hidden = torch.cat([h, t, h - t, h * t])
                for depth, layer in enumerate(features.attention[str(number)].layers):
                    hidden = layer(hidden.relu() if depth else hidden)
                pooled = pooled + hidden[0] * weights[k] * h
            blocks.append(pooled)
        rows.append(torch.cat(blocks))
    expected = torch.autograd.grad((torch.stack(rows) * slopes).sum(), parameters)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows(rows: int) -> None:
    features = embedding(1, 0)
    out = features(*batch(rows))
    assert out.shape == (rows, features.width)
    out.sum().backward()
    assert all(
        p.grad is not None and p.grad.isfinite().all() for p in features.attention.parameters()
    )


def test_rows_and_padded_lists_give_the_same_scores() -> None:
    torch.manual_seed(0)
    attention = TargetAttention(DIM, (5,)).double()
    elements, target = torch.randn(4, 6, DIM).double(), torch.randn(4, 1, DIM).double()
    padded = attention(elements, target)
    rows = torch.arange(4).repeat_interleave(6)
    ragged = attention(elements.flatten(0, 1), target.squeeze(1), rows)
    torch.testing.assert_close(padded.flatten(), ragged, rtol=1e-13, atol=1e-14)
    for one in (elements[:1], target[:1]):
        given = (one, target) if one.shape[1] == 6 else (elements, one)
        assert attention(*given).shape == (4, 6)
