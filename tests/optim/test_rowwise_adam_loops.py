"""`RowwiseAdam` in the loops that people have: schedulers, groups, accumulation, closures."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers

from helpers.tower import DTYPES, ROUNDING, STEPS, Inputs, dense_twin, rowwise, sparse_tower, train
from postclick.optim import RowwiseAdam
from postclick.optim.adam_settings import Mode

SCHEDULES: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "step": lambda o: schedulers.StepLR(o, 10, 0.5),
    "cosine": lambda o: schedulers.CosineAnnealingLR(o, STEPS),
    "warm-up": lambda o: schedulers.LinearLR(o, 0.01, 1.0, STEPS // 2),
    "one cycle, betas too": lambda o: schedulers.OneCycleLR(o, 0.01, total_steps=STEPS + 1),
}


@DTYPES
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedulers_act_as_on_torch_adam(schedule: str, dtype: torch.dtype) -> None:
    mine, theirs = sparse_tower(dtype), dense_twin(dtype)
    optimizer = rowwise(mine, lr=0.01, weight_decay=1e-4)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01, weight_decay=1e-4)
    for tower, its in ((mine, optimizer), (theirs, adam)):
        scheduler = SCHEDULES[schedule](its)
        train(tower, its, tower.batches(STEPS), scheduler.step)
    optimizer.catch_up()
    assert mine.difference(theirs) <= 5 * ROUNDING[dtype]


def test_a_tensor_can_be_the_learning_rate() -> None:
    mine, theirs = sparse_tower(), sparse_tower()
    train(mine, rowwise(mine, lr=torch.tensor(0.0625)), mine.batches(5))
    train(theirs, rowwise(theirs, lr=0.0625), theirs.batches(5))
    assert mine.difference(theirs) == 0.0


@DTYPES
def test_parameters_can_be_added_later(dtype: torch.dtype) -> None:
    mine, theirs = sparse_tower(dtype), dense_twin(dtype)
    optimizer = RowwiseAdam([mine.items.weight], lr=0.01, weight_decay=1e-4, mode="exact")
    optimizer.attach(mine.items)
    adam = torch.optim.Adam([theirs.items.weight], lr=0.01, weight_decay=1e-4)
    for tower, its in ((mine, optimizer), (theirs, adam)):
        batches = list(tower.batches(STEPS))
        train(tower, its, batches[:20])
        its.add_param_group({"params": tower.history.weight, "weight_decay": 1e-2})
        its.add_param_group({"params": tower.network(), "lr": 1e-3, "weight_decay": 0.0})
        if tower is mine:
            optimizer.attach(mine.history)
        train(tower, its, batches[20:])
    optimizer.catch_up()
    assert mine.difference(theirs) <= 5 * ROUNDING[dtype]


@DTYPES
def test_options_can_be_changed_on_the_way(dtype: torch.dtype) -> None:
    mine, theirs = sparse_tower(dtype), dense_twin(dtype)
    optimizer = rowwise(mine, lr=0.01, weight_decay=1e-4)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01, weight_decay=1e-4)
    for tower, its in ((mine, optimizer), (theirs, adam)):
        batches = list(tower.batches(STEPS))
        train(tower, its, batches[:30])
        its.param_groups[0].update(weight_decay=1e-2, betas=(0.8, 0.99), eps=1e-6)
        train(tower, its, batches[30:])
    optimizer.catch_up()
    assert mine.difference(theirs) <= 5 * ROUNDING[dtype]


@DTYPES
@pytest.mark.parametrize("mode", ["sparse", "lazy", "exact"])
def test_batches_without_a_row(mode: Mode, dtype: torch.dtype) -> None:
    """A gradient without a row is one of zeros: the step counts, as with dense gradients."""
    mine, theirs = sparse_tower(dtype), dense_twin(dtype)
    options: dict[str, Any] = {"lr": 0.01, "weight_decay": 1e-4}
    optimizer = rowwise(mine, mode, **options)
    adam = torch.optim.Adam(theirs.parameters(), **options)
    for tower, its in ((mine, optimizer), (theirs, adam)):
        for k, inputs in enumerate(tower.batches(30)):
            its.zero_grad()
            if k % 3 == 1:
                empty = tower(*(part[:0] for part in inputs))
                assert len(empty) == 0
                empty.sum().backward()
            else:
                tower.loss(inputs).backward()
            its.step()
    optimizer.catch_up()
    if mode == "exact":
        assert mine.difference(theirs) <= 5 * ROUNDING[dtype]
    assert int(optimizer.state_dict()["state"][0]["step"]) == 30
    assert all(p.isfinite().all() for p in mine.parameters())


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_can_be_accumulated(set_to_none: bool) -> None:
    mine, theirs = sparse_tower(), dense_twin()
    optimizer = rowwise(mine, lr=0.01, weight_decay=1e-4)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01, weight_decay=1e-4)
    for tower, its in ((mine, optimizer), (theirs, adam)):
        for k, inputs in enumerate(tower.batches(STEPS)):
            if k % 2 == 0:
                its.zero_grad(set_to_none)
            tower.loss(inputs).backward()
            if k % 2 == 1:
                its.step()
    optimizer.catch_up()
    assert mine.difference(theirs) <= 1e-5


@pytest.mark.parametrize("mode", ["sparse", "lazy", "exact"])
def test_a_table_may_be_read_twice_in_one_pass(mode: Mode) -> None:
    """Two lookups have one gradient; summed or not, and in whatever order, it is the same."""
    tables = []
    for coalesced in (False, True):
        embedding = nn.Embedding(50, 3, sparse=True)
        nn.init.ones_(embedding.weight)
        optimizer = RowwiseAdam(embedding.parameters(), weight_decay=1e-3, mode=mode)
        optimizer.attach(embedding)
        generator = torch.Generator().manual_seed(0)
        for _ in range(30):
            a, b = torch.randint(0, 40, (2, 12), generator=generator)
            optimizer.zero_grad()
            (embedding(a) * embedding(b)).sum().backward()
            if coalesced:
                assert embedding.weight.grad is not None
                embedding.weight.grad = embedding.weight.grad.coalesce()
            optimizer.step()
        optimizer.catch_up()
        tables.append(embedding.weight.detach())
    assert float((tables[0] - 1).abs().max()) > 0.01
    torch.testing.assert_close(tables[0], tables[1], rtol=0, atol=1e-6)


def test_a_closure_gives_the_loss() -> None:
    mine, theirs = sparse_tower(), sparse_tower()
    optimizer = rowwise(mine, lr=0.01)
    losses = []
    for inputs in mine.batches(10):

        def closure(inputs: Inputs = inputs) -> float:
            optimizer.zero_grad()
            loss = mine.loss(inputs)
            loss.backward()
            return loss.item()

        losses.append(optimizer.step(closure))
    assert losses == train(theirs, rowwise(theirs, lr=0.01), theirs.batches(10))
    assert mine.difference(theirs) == 0.0


def test_importing_it_loads_neither_numba_nor_the_compiler_of_torch() -> None:
    program = (
        "import sys, torch;"
        "before = {'numba', 'torch._dynamo'} & set(sys.modules);"
        "import postclick.optim;"
        "table = torch.nn.Embedding(9, 2, sparse=True).double();"
        "print(sorted({'numba', 'torch._dynamo'} & set(sys.modules) - before));"
        "optimizer = postclick.optim.RowwiseAdam(table.parameters());"
        "table(torch.tensor([1])).sum().backward();"
        "optimizer.step();"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["[]", "False"]
