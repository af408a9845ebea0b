"""What `RowwiseAdam` cannot do it says in one line."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from postclick.errors import InputError
from postclick.optim import RowwiseAdam
from postclick.optim.adam_settings import Mode

WAITING = pytest.mark.parametrize("mode", ["lazy", "exact"])


def table(dtype: torch.dtype = torch.float32) -> nn.Parameter:
    return nn.Parameter(torch.ones(10, 3, dtype=dtype))


def by_row(weight: Tensor, *ids: int) -> Tensor:
    """A gradient of ones on rows of a table."""
    values = torch.ones(len(ids), weight.shape[1], dtype=weight.dtype)
    rows = torch.tensor([ids], dtype=torch.int64)
    return torch.sparse_coo_tensor(rows, values, weight.shape, check_invariants=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1.0}, "lr=-1.0: take 0 or more"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"eps": 0.0}, "eps=0.0: take more than 0"),
        ({"betas": (0.9, 1.0)}, r"betas=\(0.9, 1.0\): take two of them, each in"),
        ({"betas": (0.9,)}, r"betas=\(0.9,\): take two of them"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1: take 0 or more"),
        ({"mode": "dense"}, "mode='dense': choose from sparse, lazy, exact"),
        ({"mode": "lazy", "betas": (0.9, 0.8)}, "need the square of the first below the second"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RowwiseAdam([table()], **options)
    options.pop("mode", None)
    if "below" not in message and options:
        optimizer = RowwiseAdam([table()])
        with pytest.raises(InputError, match=message):
            optimizer.add_param_group({"params": [table()], **options})
        assert len(optimizer.param_groups) == 1


def test_betas_that_lose_their_closed_form_on_the_way() -> None:
    weight = table()
    optimizer = RowwiseAdam([weight], mode="lazy")
    weight.grad = by_row(weight, 1)
    optimizer.step()
    optimizer.param_groups[0]["betas"] = (0.9, 0.8)
    with pytest.raises(InputError, match="choose others, or exact updates"):
        optimizer.prepare(weight, torch.tensor([1]))


def test_complex_parameters() -> None:
    with pytest.raises(InputError, match="give their real view"):
        RowwiseAdam([nn.Parameter(torch.ones(3, dtype=torch.complex64))])


@WAITING
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_rows_that_were_read_too_old(mode: Mode, dtype: torch.dtype) -> None:
    weight = table(dtype)
    optimizer = RowwiseAdam([weight], mode=mode, weight_decay=0.1)
    for ids in ((1, 2), (2, 1), (1,)):  # no row of these waits
        optimizer.zero_grad()
        weight.grad = by_row(weight, *ids)
        optimizer.step()
    before = weight.detach().clone()
    weight.grad = by_row(weight, 1, 2, 7, 7)
    if mode == "exact" and dtype == torch.float64:
        optimizer.step()  # every step sweeps this table: no row waits
        return
    message = r"3 of 4 gradients of a table \[10, 3\] are of rows .* call attach\(model\) once, or"
    with pytest.raises(InputError, match=message):
        optimizer.step()
    assert torch.equal(weight, before)
    optimizer.prepare(weight, torch.tensor([[7, 2], [1, 1]]))
    optimizer.step()
    assert (weight[[1, 2, 7]] < before[[1, 2, 7]]).all()


@WAITING
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.tensor([0, 10]), "ids reach from 0 to 10, and the table has rows 0 to 9"),
        (torch.tensor([[-1]]), "ids reach from -1 to -1"),
        (torch.tensor([1.0]), "ids are torch.float32: give row numbers"),
        (torch.tensor([True]), "ids are torch.bool"),
    ],
)
def test_ids_that_are_no_rows(mode: Mode, ids: Tensor, message: str) -> None:
    weight = table()
    optimizer = RowwiseAdam([weight], mode=mode)
    with pytest.raises(InputError, match=message):
        optimizer.prepare(weight, ids)
    optimizer.prepare(weight, torch.tensor([9], dtype=torch.int32))
    optimizer.prepare(weight, torch.tensor([], dtype=torch.int64))


@pytest.mark.parametrize("mode", ["sparse", "lazy", "exact"])
def test_tables_of_others(mode: Mode) -> None:
    weight = table()
    optimizer = RowwiseAdam([weight], mode=mode)
    for other in (table(), weight.data):
        with pytest.raises(InputError, match=r"is not a parameter of this optimizer: give the one"):
            optimizer.prepare(other, torch.tensor([1]))
        with pytest.raises(InputError, match="not its data"):
            optimizer.catch_up(other)


def test_a_dense_gradient_after_a_sparse_one() -> None:
    weight = table()
    optimizer = RowwiseAdam([weight])
    weight.grad = by_row(weight, 1)
    optimizer.step()
    optimizer.zero_grad()
    weight.grad = torch.ones(10, 3)
    with pytest.raises(InputError, match=r"\[10, 3\] had sparse gradients and has a dense one"):
        optimizer.step()


def test_gradients_that_are_sparse_in_another_way() -> None:
    by_element = torch.eye(4).to_sparse()
    of_a_cube = by_row(torch.ones(4, 16), 1).unsqueeze(2)
    for gradient in (by_element, of_a_cube):
        weight = nn.Parameter(torch.ones(gradient.shape))
        optimizer = RowwiseAdam([weight])
        weight.grad = gradient
        with pytest.raises(InputError, match=r"sparse, but not by row of a table \[rows, dim\]"):
            optimizer.step()


def test_modules_without_a_table_of_the_optimizer() -> None:
    sparse, dense = nn.Embedding(5, 2, sparse=True), nn.Embedding(5, 2)
    optimizer = RowwiseAdam([sparse.weight, dense.weight], mode="exact")
    for module in (dense, nn.Linear(2, 2), nn.Embedding(5, 2, sparse=True)):
        with pytest.raises(InputError, match=f"{type(module).__name__} has no nn.Embedding.sparse"):
            optimizer.attach(module)
