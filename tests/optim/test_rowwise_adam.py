"""`RowwiseAdam` against `torch.optim.Adam` and `torch.optim.SparseAdam`, in a plain loop."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers

from helpers.tower import Inputs, dense_twin, rowwise, sparse_tower, train
from postclick.optim import RowwiseAdam
from postclick.optim.adam_settings import Mode

STEPS = 80
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
ROUNDING = {torch.float32: 2e-6, torch.float64: 1e-12}


OPTIONS: list[dict[str, Any]] = [
    {"lr": 1e-2},
    {"lr": 1e-2, "weight_decay": 1e-4},
    {"lr": 1e-2, "weight_decay": 1e-2, "betas": (0.5, 0.9), "eps": 1e-6},
]


@DTYPES
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_exact_mode_is_torch_adam_with_dense_gradients(
    options: dict[str, Any], dtype: torch.dtype, mode: str
) -> None:
    """What it reads at every step too, or the losses would differ.

    Decay takes weights to and fro across zero, where rounding grows: in float32 torch's own Adam
    is 5e-5 off the truth under the last options, and that is what is allowed here too.
    """
    mine, theirs = sparse_tower(dtype, mode=mode), dense_twin(dtype, mode=mode)
    truth = dense_twin(torch.float64, mode=mode)
    start = truth.items.weight.detach().clone()
    optimizer = rowwise(mine, **options)
    losses = train(mine, optimizer, mine.batches(STEPS))
    optimizer.catch_up()
    expected = []
    for tower in (theirs, truth):
        adam = torch.optim.Adam(tower.parameters(), **options)
        expected = train(tower, adam, tower.batches(STEPS))
    assert losses == pytest.approx(expected, rel=100 * ROUNDING[dtype])
    assert float((truth.items.weight - start).detach().abs().max()) > 0.1, "it has to move"
    own = theirs.difference(truth)
    print(f"\n{options}: off by {mine.difference(truth):.1e}, torch's own Adam by {own:.1e}")
    assert mine.difference(truth) <= 3 * own + ROUNDING[dtype]


@DTYPES
def test_exact_mode_wants_no_closed_form(dtype: torch.dtype) -> None:
    options: dict[str, Any] = {"lr": 1e-3, "betas": (0.9, 0.8), "weight_decay": 1e-4}
    mine, theirs = sparse_tower(dtype), dense_twin(dtype)
    optimizer = rowwise(mine, **options)
    train(mine, optimizer, mine.batches(20))
    optimizer.catch_up()
    train(theirs, torch.optim.Adam(theirs.parameters(), **options), theirs.batches(20))
    assert mine.difference(theirs) <= 20 * ROUNDING[dtype]


@DTYPES
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.9, 0.8)])
def test_sparse_mode_is_torch_sparse_adam(betas: tuple[float, float], dtype: torch.dtype) -> None:
    """With an eps that is nothing beside the gradients: theirs stands elsewhere."""
    options: dict[str, Any] = {"lr": 1e-3, "betas": betas, "eps": 1e-20}
    mine, theirs = sparse_tower(dtype), sparse_tower(dtype)
    optimizer = RowwiseAdam(mine.parameters(), **options)
    train(mine, optimizer, mine.batches(STEPS))
    of_tables = torch.optim.SparseAdam(theirs.tables(), **options)
    of_network = torch.optim.Adam(theirs.network(), **options)

    def rest() -> None:
        of_network.step()
        of_network.zero_grad()

    train(theirs, of_tables, theirs.batches(STEPS), rest)
    assert mine.difference(sparse_tower(dtype)) > 0.01, "it has to move"
    assert mine.difference(theirs) <= 10 * ROUNDING[dtype]


def sparse_reference(
    start: np.ndarray, found: list[tuple[np.ndarray, np.ndarray]], options: dict[str, Any]
) -> np.ndarray:
    """Adam in float64, row by row, where rows without a gradient stay."""
    table, mean, square = start.astype(np.float64), np.zeros(start.shape), np.zeros(start.shape)
    (beta1, beta2), lr, eps = options["betas"], options["lr"], options["eps"]
    for k, (ids, values) in enumerate(found, 1):
        for row in sorted(set(ids.tolist())):
            g = values[ids == row].sum(0) + options["weight_decay"] * table[row]
            mean[row] = beta1 * mean[row] + (1 - beta1) * g
            square[row] = beta2 * square[row] + (1 - beta2) * g * g
            step = mean[row] / (1 - beta1**k)
            table[row] -= lr * step / (np.sqrt(square[row] / (1 - beta2**k)) + eps)
    return table


@DTYPES
@pytest.mark.parametrize("size", [1e-6, 1.0])
def test_sparse_mode_is_adam_on_touched_rows(dtype: torch.dtype, size: float) -> None:
    """eps and decay as in Adam, also where gradients are hardly larger than eps."""
    options = {"lr": 1e-2, "betas": (0.9, 0.99), "eps": 1e-7, "weight_decay": 1e-3 * size}
    generator = torch.Generator().manual_seed(3)
    start = torch.randn(40, 3, generator=generator, dtype=torch.float64).to(dtype)
    found = [
        (
            torch.randint(0, 30, (25,), generator=generator),
            size * torch.randn(25, 3, generator=generator, dtype=torch.float64).to(dtype),
        )
        for _ in range(40)
    ]
    table = nn.Parameter(start.clone())
    optimizer = RowwiseAdam([table], **options)
    for ids, values in found:
        table.grad = torch.sparse_coo_tensor(
            ids.unsqueeze(0), values, table.shape, check_invariants=True
        )
        optimizer.step()
    arrays = [(ids.numpy(), values.double().numpy()) for ids, values in found]
    expected = torch.from_numpy(sparse_reference(start.numpy(), arrays, options))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(table.detach().double(), expected, rtol=0, atol=tolerance)


@DTYPES
def test_lazy_mode_is_close_to_exact_mode(dtype: torch.dtype) -> None:
    """Waits of more than 16 steps are in closed form; forgetting them would be far off."""
    options = {"lr": 1e-3, "weight_decay": 1e-5}
    towers = {}
    for mode in ("exact", "lazy", "sparse"):
        tower = sparse_tower(dtype)
        optimizer = rowwise(tower, mode, **options)
        train(tower, optimizer, tower.batches(3 * STEPS, size=12))
        optimizer.catch_up()
        towers[mode] = tower.items.weight.detach()

    def off(mode: str) -> float:
        return float((towers[mode] - towers["exact"]).square().mean().sqrt())

    scale = float(towers["exact"].square().mean().sqrt())
    assert 0 < off("lazy") < 0.03 * scale
    assert off("sparse") > 0.2 * scale


@pytest.mark.parametrize("mode", ["sparse", "lazy", "exact"])
def test_threads_change_nothing(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postclick.optim.compiled_adam.IDS_PER_PART", 1)
    before, towers = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            # The network's products may differ with the threads: they are left out.
            torch.set_num_threads(threads)
            tower = sparse_tower()
            optimizer = RowwiseAdam(tower.tables(), weight_decay=1e-4, mode=mode)
            optimizer.attach(tower)
            for ids, seen, weights in tower.batches(STEPS):
                optimizer.zero_grad()
                read = tower.items(ids).sum() + tower.history(seen, None, weights).sum()
                read.backward()
                optimizer.step()
            optimizer.catch_up()
            towers.append(tower)
    finally:
        torch.set_num_threads(before)
    assert towers[0].difference(towers[1]) == towers[0].difference(towers[2]) == 0.0


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
