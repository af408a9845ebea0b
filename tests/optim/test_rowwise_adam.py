"""`RowwiseAdam` against `torch.optim.Adam` and `torch.optim.SparseAdam`, in a plain loop."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from helpers.tower import DTYPES, ROUNDING, STEPS, dense_twin, rowwise, sparse_tower, train
from postclick.optim import RowwiseAdam
from postclick.optim.adam_settings import Mode

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
