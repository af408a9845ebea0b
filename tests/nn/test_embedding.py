"""One table for all features: its offsets, its zero rows, its bags and its gradients."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from postclick.nn.config import NetworkConfig
from postclick.nn.embedding import BagTensors, FeatureEmbedding

FIELDS, BAGS, NUMERICS, DIM = (5, 1, 7), (4, 6), 2, 3
FIRST = np.cumsum([0, *FIELDS, *BAGS])


def embedding(
    fields: tuple[int, ...] = FIELDS,
    bags: tuple[int, ...] = BAGS,
    numerics: int = NUMERICS,
    **options: str,
) -> FeatureEmbedding:
    torch.manual_seed(0)
    config = NetworkConfig.model_validate(options)
    return FeatureEmbedding(fields, bags, numerics, DIM, config).double()


def random_ids(n: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    local = np.stack([rng.integers(0, size, n) for size in FIELDS], axis=1)
    return torch.from_numpy(local + FIRST[: len(FIELDS)])


def random_bag(column: int, counts: list[int], seed: int = 0) -> BagTensors:
    rng = np.random.default_rng(seed + column)
    values = FIRST[len(FIELDS) + column] + rng.integers(0, BAGS[column], sum(counts))
    offsets = np.cumsum([0, *counts])[:-1] if counts else np.zeros(0, dtype=np.int64)
    weights = rng.normal(size=sum(counts))
    return torch.from_numpy(values), torch.from_numpy(offsets), torch.from_numpy(weights)


COUNTS = ([2, 0, 3, 0, 1], [0, 0, 0, 4, 0])
NONE = torch.zeros(5, 0, dtype=torch.float64)


def test_the_table_has_the_rows_of_every_field_and_bag() -> None:
    assert embedding().table.shape == (sum(FIELDS) + sum(BAGS), DIM)


def test_row_zero_of_each_field_starts_at_zero_and_no_other() -> None:
    rows = (embedding().table != 0).any(dim=1)
    assert np.flatnonzero(~rows.numpy()).tolist() == FIRST[:-1].tolist()
    spread = embedding(fields=(20_000,), bags=()).table[1:].std().item()
    assert spread == pytest.approx(NetworkConfig().embedding_std, rel=0.02)


def test_fields_with_the_same_local_id_share_no_row() -> None:
    """The gradient of a field's block of the output stays within the field's own rows."""
    features = embedding(bags=(), numerics=0)
    for field, (low, high) in enumerate(pairwise(FIRST[: len(FIELDS) + 1])):
        ids = torch.from_numpy(np.tile(FIRST[: len(FIELDS)], (high - low, 1)))
        ids[:, field] = torch.arange(low, high)
        out = features(ids, torch.zeros(high - low, 0))
        block = out[:, field * DIM : (field + 1) * DIM]
        (gradient,) = torch.autograd.grad(block.sum(), features.table)
        expected = torch.zeros_like(features.table)
        expected[low:high] = 1.0
        torch.testing.assert_close(gradient.to_dense(), expected)


def test_ids_are_looked_up_in_order() -> None:
    features = embedding(bags=(), numerics=0)
    ids = random_ids(6)
    out = features(ids, torch.zeros(6, 0, dtype=torch.float64))
    expected = torch.stack([torch.cat([features.table[k] for k in row]) for row in ids])
    torch.testing.assert_close(out, expected, rtol=0, atol=0)


def test_bags_are_weighted_sums_and_empty_ones_zero() -> None:
    features = embedding(fields=(*FIELDS,))
    bags = [random_bag(k, COUNTS[k]) for k in range(2)]
    out = features(random_ids(5), torch.ones(5, NUMERICS, dtype=torch.float64), bags)
    assert out.shape == (5, features.width)
    for column, (values, offsets, weights) in enumerate(bags):
        start = (len(FIELDS) + column) * DIM
        ends = [*offsets.tolist()[1:], len(values)]
        for row, (low, high) in enumerate(zip(offsets.tolist(), ends, strict=True)):
            slow = torch.zeros(DIM, dtype=torch.float64)
            for k in range(low, high):
                slow = slow + weights[k] * features.table[values[k]]
            found = out[row, start : start + DIM]
            torch.testing.assert_close(found, slow, rtol=1e-14, atol=1e-16)
            if low == high:
                assert (found == 0).all()


def test_sparse_gradient_equals_the_dense_one() -> None:
    """Against a table read by plain indexing; ids and bag values repeat."""
    features = embedding()
    ids, numeric = random_ids(5), torch.ones(5, NUMERICS, dtype=torch.float64)
    bags = [random_bag(k, COUNTS[k]) for k in range(2)]
    slopes = torch.from_numpy(np.random.default_rng(1).normal(size=(5, features.width)))
    (features(ids, numeric, bags) * slopes).sum().backward()
    assert features.table.grad is not None
    assert features.table.grad.is_sparse

    table = features.table.detach().clone().requires_grad_()
    parts = [table[ids].flatten(1)]
    for (values, _, weights), counts in zip(bags, COUNTS, strict=True):
        rows = torch.arange(5).repeat_interleave(torch.tensor(counts))
        pooled = torch.zeros(5, DIM, dtype=torch.float64)
        parts.append(pooled.index_add(0, rows, weights.unsqueeze(1) * table[values]))
    (torch.cat([*parts, numeric], dim=1) * slopes).sum().backward()
    torch.testing.assert_close(features.table.grad.to_dense(), table.grad, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize(
    ("numeric", "numerics", "width"), [("concat", 2, 2), ("project", 2, DIM), ("project", 0, 0)]
)
def test_numeric_widths(numeric: str, numerics: int, width: int) -> None:
    features = embedding(numerics=numerics, numeric=numeric)
    assert features.width == (len(FIELDS) + len(BAGS)) * DIM + width
    values = torch.randn(5, numerics, dtype=torch.float64)
    bags = [random_bag(k, COUNTS[k]) for k in range(2)]
    out = features(random_ids(5), values, bags)
    assert out.shape == (5, features.width)
    expected = values if numeric == "concat" else features.project(values) if numerics else NONE
    torch.testing.assert_close(out[:, features.width - width :], expected)


@pytest.mark.parametrize("n", [0, 5])
def test_only_numbers_and_no_rows(n: int) -> None:
    features = embedding(fields=(), bags=())
    numeric = torch.randn(n, NUMERICS, dtype=torch.float64)
    out = features(torch.zeros(n, 0, dtype=torch.long), numeric)
    torch.testing.assert_close(out, numeric)
    full = embedding()
    bags = [random_bag(k, [0] * n) for k in range(2)]
    assert full(random_ids(n), numeric, bags).shape == (n, full.width)
