"""Row gradients against the dense gradient of the same table."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from postclick.optim.row_gradient import RowCollector, RowGradient


def sparse_and_dense(table: Tensor, ids: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of sum(out * table[ids]), sparse as autograd leaves it, and dense."""
    leaf = table.clone().requires_grad_()
    (F.embedding(ids, leaf, sparse=True) * out).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.is_sparse
    dense = torch.zeros_like(table).index_put_((ids.flatten(),), out.flatten(0, -2), True)
    return leaf.grad, dense


def collected_from(table: Tensor, sparse: Tensor) -> RowGradient:
    return RowCollector(table)(sparse._indices()[0], sparse._values())


@given(
    ids=st.lists(st.integers(0, 19), max_size=60),
    dim=st.integers(1, 5),
    seed=st.integers(0, 2**31),
)
def test_collected_rows_are_the_dense_gradient(ids: list[int], dim: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(20, dim, generator=generator, dtype=torch.float64)
    index = torch.tensor(ids, dtype=torch.long)
    out = torch.randn(len(ids), dim, generator=generator, dtype=torch.float64)
    sparse, dense = sparse_and_dense(table, index, out)
    collected = collected_from(table, sparse)
    assert sorted(collected.rows.tolist()) == sorted(set(ids)), "each touched row once"
    rebuilt = torch.zeros_like(table).index_copy_(0, collected.rows, collected.values)
    torch.testing.assert_close(rebuilt, dense, rtol=0, atol=1e-12)


def test_a_collector_can_be_used_again_and_again() -> None:
    """Positions of earlier batches stay in its scratch array and must not be believed."""
    table = torch.randn(1000, 3)
    collect = RowCollector(table)
    generator = torch.Generator().manual_seed(0)
    for size in (1, 700, 3, 64, 2000, 5):
        ids = torch.randint(0, 1000, (size, 2), generator=generator)
        out = torch.randn(size, 2, 3, generator=generator)
        sparse, dense = sparse_and_dense(table, ids, out)
        collected = collect(sparse._indices()[0], sparse._values())
        assert len(collected.rows) == len(ids.unique())
        rebuilt = torch.zeros_like(table).index_copy_(0, collected.rows, collected.values)
        torch.testing.assert_close(rebuilt, dense)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_order_of_rows_is_always_the_same(threads: int) -> None:
    """Sums over rows (the norm for clipping) are only then the same in every run."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        table = torch.zeros(100_000, 2)
        ids = torch.randint(0, 5_000, (200_000,), generator=torch.Generator().manual_seed(0))
        sparse, _ = sparse_and_dense(table, ids, torch.ones(len(ids), 2))
        first, second = (collected_from(table, sparse).rows for _ in range(2))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(first, second)


def test_pooled_histories_and_ids_in_one_gradient() -> None:
    table = torch.randn(30, 4, requires_grad=True)
    values, offsets = torch.tensor([3, 3, 7, 29]), torch.tensor([0, 2, 2])
    weights = torch.tensor([0.5, 1.0, 2.0, -1.0])
    pooled = F.embedding_bag(
        values, table, offsets, mode="sum", sparse=True, per_sample_weights=weights
    )
    looked_up = F.embedding(torch.tensor([3, 0]), table, sparse=True)
    (pooled.sum() + looked_up.sum()).backward()
    assert table.grad is not None
    rows, summed = collected_from(table.data, table.grad)
    order = rows.argsort()
    assert rows[order].tolist() == [0, 3, 7, 29]
    expected = torch.tensor([1.0, 2.5, 2.0, -1.0]).unsqueeze(1).expand(4, 4)
    torch.testing.assert_close(summed[order], expected)


def test_no_ids_give_no_rows() -> None:
    table = torch.randn(5, 2)
    sparse, _ = sparse_and_dense(table, torch.empty(0, dtype=torch.long), torch.empty(0, 2))
    rows, values = collected_from(table, sparse)
    assert (rows.shape, values.shape) == ((0,), (0, 2))
