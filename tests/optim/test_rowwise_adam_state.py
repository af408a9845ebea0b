"""What `RowwiseAdam` keeps: state dicts, torch's own ones, copies, and tables that move."""

import pickle
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from helpers.tower import dense_twin, rowwise, sparse_tower, train
from postclick.errors import InputError
from postclick.optim import RowwiseAdam
from postclick.optim.adam_settings import Mode

STEPS = 80
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
ROUNDING = {torch.float32: 2e-6, torch.float64: 1e-12}


@DTYPES
@pytest.mark.parametrize("mode", ["sparse", "lazy", "exact"])
def test_a_saved_state_goes_on_as_if_nothing_had_happened(
    mode: Mode, dtype: torch.dtype, tmp_path: Any
) -> None:
    tower = sparse_tower(dtype)
    optimizer = rowwise(tower, mode, lr=0.01, weight_decay=1e-4)
    batches = list(tower.batches(STEPS))
    train(tower, optimizer, batches[:30])
    # In this order: the optimizer's state must fit weights that are saved after it.
    saved = {"optimizer": optimizer.state_dict(), "model": tower.state_dict()}
    torch.save(saved, tmp_path / "state.pt")
    train(tower, optimizer, batches[30:])
    optimizer.catch_up()

    other = sparse_tower(dtype)
    resumed = rowwise(other, mode)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed.load_state_dict(state["optimizer"])
    other.load_state_dict(state["model"])
    assert resumed.param_groups[0]["weight_decay"] == 1e-4
    train(other, resumed, batches[30:])
    resumed.catch_up()
    # Learning rates of the past are not kept; sums of them differ in the last digit of a float64.
    assert tower.difference(other) <= (1e-7 if dtype == torch.float32 else 1e-15)


def test_saving_does_not_disturb_exact_mode() -> None:
    towers = []
    for every in (None, 7):
        tower = sparse_tower()
        optimizer = rowwise(tower, lr=0.01, weight_decay=1e-4)
        for k, inputs in enumerate(tower.batches(STEPS)):
            train(tower, optimizer, [inputs])
            if every and k % every == 0:
                optimizer.state_dict()
        optimizer.catch_up()
        towers.append(tower)
    assert towers[0].difference(towers[1]) == 0.0


@DTYPES
def test_torch_adam_can_be_taken_over_and_given_back(dtype: torch.dtype) -> None:
    options: dict[str, Any] = {"lr": 0.01, "weight_decay": 1e-4}
    theirs, batches = dense_twin(dtype), list(sparse_tower(dtype).batches(STEPS))
    adam = torch.optim.Adam(theirs.parameters(), **options)
    train(theirs, adam, batches[:20])
    mine = sparse_tower(dtype)
    mine.load_state_dict(theirs.state_dict())
    optimizer = rowwise(mine)
    optimizer.load_state_dict(deepcopy(adam.state_dict()))
    assert optimizer.param_groups[0]["lr"] == 0.01
    train(mine, optimizer, batches[20:50])
    last = dense_twin(dtype)
    back = torch.optim.Adam(last.parameters())
    back.load_state_dict(deepcopy(optimizer.state_dict()))
    last.load_state_dict(mine.state_dict())
    train(last, back, batches[50:])
    train(theirs, adam, batches[20:])
    assert last.difference(theirs) <= 5 * ROUNDING[dtype]


@DTYPES
def test_sparse_adam_can_be_taken_over(dtype: torch.dtype) -> None:
    options = {"lr": 0.01, "eps": 1e-20}
    theirs = sparse_tower(dtype)
    batches = list(theirs.batches(STEPS))
    adam = torch.optim.SparseAdam(theirs.tables(), **options)
    train(theirs, adam, batches[:40])
    mine = sparse_tower(dtype)
    mine.load_state_dict(theirs.state_dict())
    optimizer = RowwiseAdam(mine.tables())
    optimizer.load_state_dict(deepcopy(adam.state_dict()))
    for tower, its in ((mine, optimizer), (theirs, adam)):
        train(tower, its, batches[40:])
    assert mine.difference(theirs) <= 5 * ROUNDING[dtype]


@DTYPES
def test_a_table_that_moved_is_followed_there(dtype: torch.dtype) -> None:
    mine, theirs = sparse_tower(), dense_twin()
    optimizer = rowwise(mine, lr=0.01, weight_decay=1e-4)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01, weight_decay=1e-4)
    for tower, its in ((mine, optimizer), (theirs, adam)):
        train(tower, its, tower.batches(20))
    optimizer.catch_up()
    mine.to(dtype)
    for parameter in mine.parameters():
        parameter.data = parameter.data.clone()
    train(mine, optimizer, mine.batches(20, seed=5))
    train(theirs, adam, theirs.batches(20, seed=5))
    optimizer.catch_up()
    assert mine.difference(theirs) <= 1e-5


def test_a_table_that_moved_while_rows_waited_is_refused() -> None:
    tower = sparse_tower()
    optimizer = rowwise(tower, lr=0.01)
    train(tower, optimizer, tower.batches(10))
    tower.double()
    with pytest.raises(InputError, match=r"moved or replaced while rows of it waited: call catch_"):
        train(tower, optimizer, tower.batches(1))


@pytest.mark.parametrize("mode", ["sparse", "lazy", "exact"])
@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_a_copy_goes_on_alone(mode: Mode, how: str) -> None:
    tower = sparse_tower()
    optimizer = rowwise(tower, mode, lr=0.01, weight_decay=1e-4)
    batches = list(tower.batches(STEPS))
    train(tower, optimizer, batches[:30])
    if mode != "sparse":
        with pytest.raises(InputError, match=r"rows wait: call catch_up\(\) before"):
            deepcopy(optimizer)
    optimizer.catch_up()
    pair = tower, optimizer
    copy, its = deepcopy(pair) if how == "deepcopy" else pickle.loads(pickle.dumps(pair))
    assert its.mode == mode
    its.attach(copy)
    train(copy, its, batches[30:])
    assert tower.difference(copy) > 0.01, "the first has to stay"
    train(tower, optimizer, batches[30:])
    for each in (its, optimizer):
        each.catch_up()
    assert tower.difference(copy) <= 1e-7


@pytest.mark.parametrize(
    "other",
    [
        lambda p: torch.optim.Adam(p, amsgrad=True),
        lambda p: torch.optim.Adam(p, maximize=True),
        lambda p: torch.optim.AdamW(p),
    ],
)
def test_states_of_other_rules_are_refused(other: Any) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = RowwiseAdam([weight], lr=0.5)
    with pytest.raises(InputError, match=r"an optimizer with \w+=True: it differs"):
        optimizer.load_state_dict(other([weight]).state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_state_of_another_table_is_refused() -> None:
    states = []
    for rows in (5, 6):
        embedding = nn.Embedding(rows, 2, sparse=True)
        optimizer = RowwiseAdam(embedding.parameters())
        for k in range(2):
            if k and states:
                optimizer.load_state_dict(states[0])
                with pytest.raises(InputError, match=r"of a table \[5, 2\], not \[6, 2\]"):
                    optimizer.step()
                return
            embedding(torch.tensor([1])).sum().backward()
            optimizer.step()
        states.append(optimizer.state_dict())
