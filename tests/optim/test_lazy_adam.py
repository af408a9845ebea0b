"""Lazy Adam against dense Adam: what waiting rows do is caught up, not forgotten."""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.toy import Toy
from postclick.optim.adam_settings import AdamSettings
from postclick.optim.compiled_adam import CompiledAdam
from postclick.optim.lazy_adam import LazyAdam
from postclick.optim.row_gradient import RowGradient
from postclick.runs.training_config import TrainingConfig
from postclick.training.optimizer import Optimizer
from postclick.training.schedule import lr_factor

STEPS = 200


def rms(x: Tensor) -> float:
    return float(x.detach().pow(2).mean().sqrt())


@cache
def trained(mode: str, dtype: torch.dtype, steps: int = STEPS, **changes: Any) -> Tensor:
    """The toy's table after training, caught up."""
    config = TrainingConfig.model_validate({"optimizer": mode, **changes})
    toy = Toy(sparse=True).to(dtype)
    optimizer = Optimizer(toy.named_parameters(), {"table"}, config)
    for ids, target in toy.batches(steps):
        optimizer.prepare(ids)
        toy.backward(ids, target)
        optimizer.step(config.lr * lr_factor(config, optimizer.steps, steps))
    optimizer.catch_up()
    return toy.table.detach()


def compare(dtype: torch.dtype, **changes: Any) -> tuple[float, float, float]:
    """Lazy against exact: rms difference by rms weight, by rms movement, and correlation."""
    lazy = trained("lazy_adam", dtype, **changes)
    exact = trained("exact_adam", dtype, **changes)
    start = Toy(sparse=True).to(dtype).table.detach()
    off = rms(lazy - exact)
    moves = torch.stack([(lazy - start).flatten(), (exact - start).flatten()])
    correlation = float(torch.corrcoef(moves)[0, 1])
    figures = off / rms(exact), off / rms(exact - start), correlation
    print(
        f"\n{changes}: of weights {figures[0]:.1e}, of movement {figures[1]:.1e}, {correlation:.5f}"
    )
    return figures


DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


@pytest.mark.parametrize(
    ("dtype", "schedule"),
    [(torch.float32, "constant"), (torch.float32, "linear"), (torch.float64, "cosine")],
)
def test_without_decay_the_momentum_is_caught_up(dtype: torch.dtype, schedule: str) -> None:
    of_weights, of_movement, _ = compare(dtype, weight_decay=0.0, schedule=schedule)
    assert of_weights < 2e-3
    assert of_movement < 1.5e-2


@pytest.mark.parametrize(
    ("dtype", "decay"), [(torch.float32, 1e-6), (torch.float32, 1e-5), (torch.float64, 1e-5)]
)
def test_with_decay_the_whole_movement_is_close(dtype: torch.dtype, decay: float) -> None:
    of_weights, of_movement, correlation = compare(dtype, weight_decay=decay)
    assert of_weights < 0.03
    assert of_movement < 0.15
    assert correlation > 0.99


def test_a_warm_up_does_not_blow_up_what_was_learned_in_it() -> None:
    """Steps at a small rate stay small, also when they are caught up at a larger one."""
    changes = {"schedule": "linear", "warmup_steps": 100, "weight_decay": 1e-5}
    of_weights, of_movement, correlation = compare(torch.float32, **changes)
    assert of_weights < 0.03
    assert of_movement < 0.15
    assert correlation > 0.99


def test_forgetting_the_wait_would_be_noticed() -> None:
    """The tests above have teeth: without catching up the difference is far larger."""
    exact = trained("exact_adam", torch.float32, weight_decay=1e-5)
    toy = Toy(sparse=True)
    config = TrainingConfig(weight_decay=1e-5)
    optimizer = Optimizer(toy.named_parameters(), {"table"}, config)
    for ids, target in toy.batches(STEPS):
        rowwise = optimizer._rowwise["table"]
        assert isinstance(rowwise, CompiledAdam)
        rowwise._index[:, 0] = 2 * optimizer.steps
        optimizer.prepare(ids)
        toy.backward(ids, target)
        optimizer.step(config.lr)
    assert rms(toy.table - exact) > 0.2 * rms(exact)


def no_rows(dim: int) -> RowGradient:
    return RowGradient(torch.empty(0, dtype=torch.long), torch.empty(0, dim))


@pytest.mark.parametrize("decay", [1e-6, 1e-5, 1e-4])
@pytest.mark.parametrize(("std", "bound"), [(0.1, 0.06), (0.01, 0.1)])
def test_rows_never_touched_decay_like_dense_adam(decay: float, std: float, bound: float) -> None:
    """Under coupled decay they go to zero at about the learning rate a step, however small it is.

    Dense Adam overshoots zero a little where weights are small; the closed form does not, so it
    is the size that is compared.
    """
    start = torch.randn(200, 4, generator=torch.Generator().manual_seed(0)) * std
    dense = start.clone().requires_grad_()
    dense.grad = torch.zeros_like(start)
    adam = torch.optim.Adam([dense], lr=1e-3, weight_decay=decay)
    lazy = LazyAdam(start.clone(), AdamSettings(decay))
    for step in range(1, 401):
        adam.step()
        lazy.step(*no_rows(4), 1e-3)
        if step in (1, 5, 20, 100, 400):
            now = LazyAdam(start.clone(), AdamSettings(decay))
            now.load(lazy.tensors(), lazy.steps)
            now.catch_up_all()
            assert abs(rms(now.table) - rms(dense)) < bound * rms(start), step
            assert (now.table * start >= 0).all(), "decay does not change signs"
    assert rms(lazy.table) == rms(start), "nothing moves until somebody looks"


@DTYPES
@pytest.mark.parametrize("decay", [0.0, 1e-5, 1e-2])
def test_a_row_touched_at_every_step_is_exactly_adam(dtype: torch.dtype, decay: float) -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(6, 3, generator=generator, dtype=torch.float64).to(dtype)
    dense = start.clone().requires_grad_()
    adam = torch.optim.Adam([dense], lr=1e-2, weight_decay=decay, foreach=False)
    lazy = LazyAdam(start.clone(), AdamSettings(decay))
    rows = torch.tensor([4, 0, 2])
    for _ in range(100):
        values = torch.randn(3, 3, generator=generator, dtype=torch.float64).to(dtype)
        dense.grad = torch.zeros_like(start).index_copy_(0, rows, values)
        adam.step()
        lazy.step(rows, values, 1e-2)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-14
    assert float((lazy.table[rows] - dense.detach()[rows]).abs().max()) < tolerance
    untouched = torch.tensor([1, 3, 5])
    assert torch.equal(lazy.table[untouched], start[untouched])


def test_catching_up_twice_is_catching_up_once() -> None:
    toy = Toy(sparse=True)
    optimizer = Optimizer(toy.named_parameters(), {"table"}, TrainingConfig())
    for ids, target in toy.batches(50):
        optimizer.prepare(ids)
        toy.backward(ids, target)
        optimizer.step(1e-3)
    before = toy.table.detach().clone()
    optimizer.catch_up()
    once = toy.table.detach().clone()
    optimizer.catch_up()
    assert not torch.equal(before, once)
    assert torch.equal(once, toy.table)


def test_looking_in_between_changes_little() -> None:
    """Each epoch's validation catches all rows up; training has to go on much as without."""
    config = TrainingConfig(weight_decay=1e-5)
    tables = []
    for every in (1_000, 25):
        toy = Toy(sparse=True)
        optimizer = Optimizer(toy.named_parameters(), {"table"}, config)
        for ids, target in toy.batches(STEPS):
            optimizer.prepare(ids)
            toy.backward(ids, target)
            optimizer.step(config.lr)
            if optimizer.steps % every == 0:
                optimizer.catch_up()
        optimizer.catch_up()
        tables.append(toy.table.detach())
    assert rms(tables[0] - tables[1]) < 0.04 * rms(tables[0])


def test_more_steps_than_were_planned_for() -> None:
    """The list of learning rates grows; a row can wait for longer than its first length."""
    start = torch.ones(2, 1)
    dense = start.clone().requires_grad_()
    adam = torch.optim.Adam([dense], lr=1e-3)
    lazy = LazyAdam(start.clone(), AdamSettings())
    first = RowGradient(torch.tensor([0]), torch.ones(1, 1))
    for step in range(2_500):
        dense.grad = torch.tensor([[1.0], [0.0]]) if step == 0 else torch.zeros_like(start)
        adam.step()
        lazy.step(*(first if step == 0 else no_rows(1)), 1e-3)
    lazy.catch_up_all()
    assert lazy.steps == 2_500
    torch.testing.assert_close(lazy.table, dense.detach(), rtol=0, atol=4e-4)
    assert lazy.table[1] == 1.0
