"""The optimizer against `torch.optim.Adam` with dense gradients, and its saved state."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from helpers.toy import Toy
from postclick.errors import InputError
from postclick.optim.row_gradient import RowCollector
from postclick.runs.training_config import TrainingConfig
from postclick.training.optimizer import Optimizer
from postclick.training.schedule import lr_factor

TABLES = {"table"}


def make(config: TrainingConfig, dtype: torch.dtype = torch.float32) -> tuple[Toy, Optimizer]:
    toy = Toy(sparse=True).to(dtype)
    return toy, Optimizer(toy.named_parameters(), TABLES, config)


def train_dense(config: TrainingConfig, steps: int, dtype: torch.dtype = torch.float32) -> Toy:
    """The same training by torch alone."""
    toy = Toy(sparse=False).to(dtype)
    network = config.weight_decay if config.network_decay is None else config.network_decay
    groups = [
        {"params": [p], "weight_decay": config.weight_decay if name in TABLES else network}
        for name, p in toy.named_parameters()
    ]
    adam = torch.optim.Adam(groups, config.lr, config.betas, config.eps)
    for step, (ids, target) in enumerate(toy.batches(steps)):
        toy.backward(ids, target)
        if config.clip_norm is not None:
            nn.utils.clip_grad_norm_(toy.parameters(), config.clip_norm)
        for group in adam.param_groups:
            group["lr"] = config.lr * lr_factor(config, step, steps)
        adam.step()
    return toy


def train(toy: Toy, optimizer: Optimizer, batches: Any, planned: int) -> None:
    config = optimizer.config
    for ids, target in batches:
        optimizer.prepare(ids)
        toy.backward(ids, target)
        optimizer.step(config.lr * lr_factor(config, optimizer.steps, planned))


EXACT: list[dict[str, Any]] = [
    {"weight_decay": 0.0, "lr": 0.01},
    {"weight_decay": 1e-5},
    {"weight_decay": 1e-4, "clip_norm": 0.05},
    {"weight_decay": 1e-5, "schedule": "linear", "warmup_steps": 20},
    {"weight_decay": 1e-2, "network_decay": 0.0},
    {"weight_decay": 0.0, "network_decay": 1e-2},
    {"weight_decay": 1e-2, "betas": (0.5, 0.99), "eps": 1e-6},
]


@pytest.mark.parametrize("changes", EXACT)
def test_exact_adam_is_torch_adam_with_dense_gradients(changes: dict[str, Any]) -> None:
    config = TrainingConfig(optimizer="exact_adam", **changes)
    toy, optimizer = make(config)
    start = toy.table.detach().clone()
    train(toy, optimizer, toy.batches(200), planned=200)
    optimizer.catch_up()
    dense = train_dense(config, 200)
    largest = toy.difference(dense)
    print(f"\nexact Adam, {changes}: largest weight difference after 200 steps {largest:.2e}")
    assert float((dense.table.detach() - start).abs().max()) > 0.02, "the table has to move"
    assert largest <= 1e-6


def test_exact_adam_in_float64_differs_by_rounding_only() -> None:
    config = TrainingConfig(optimizer="exact_adam", weight_decay=1e-5)
    toy, optimizer = make(config, torch.float64)
    train(toy, optimizer, toy.batches(200), planned=200)
    optimizer.catch_up()
    assert toy.difference(train_dense(config, 200, torch.float64)) <= 1e-13


def test_exact_adam_moves_rows_that_no_batch_touches() -> None:
    config = TrainingConfig(optimizer="exact_adam", weight_decay=1e-3, lr=1e-3)
    toy, optimizer = make(config)
    before = toy.table.detach().clone()
    train(toy, optimizer, toy.batches(20), planned=20)
    optimizer.catch_up()
    untouched = slice(int(0.9 * toy.rows) + 1, None)
    assert (toy.table[untouched].abs() < before[untouched].abs()).all()


@pytest.mark.parametrize("mode", ["exact_adam", "lazy_adam"])
@pytest.mark.parametrize("clip_norm", [1e-3, 1e3])
def test_clipping_is_torch_clipping_of_the_dense_gradient(mode: str, clip_norm: float) -> None:
    config = TrainingConfig.model_validate({"optimizer": mode, "clip_norm": clip_norm})
    toy, optimizer = make(config)
    dense = Toy(sparse=False)
    ids, target = next(toy.batches(1, size=200))
    assert len(ids.unique()) < ids.numel(), "the batch has to repeat rows"
    toy.backward(ids, target)
    dense.backward(ids, target)
    expected = float(nn.utils.clip_grad_norm_(dense.parameters(), clip_norm))
    clipped: dict[str, Tensor] = {}
    collect = RowCollector(toy.table)

    def remember(ids: Tensor, values: Tensor) -> Any:
        rows = collect(ids, values)
        clipped["rows"], clipped["values"] = rows.rows, rows.values  # scaled in place later
        return rows

    optimizer._collect["table"] = remember  # type: ignore[assignment]
    norm = optimizer.step(1e-3)
    assert norm == pytest.approx(expected, rel=1e-5)
    table = torch.zeros_like(toy.table).index_copy_(0, clipped["rows"], clipped["values"])
    assert dense.table.grad is not None
    torch.testing.assert_close(table, dense.table.grad, rtol=1e-5, atol=1e-12)
    for name in ("first", "last"):
        mine, theirs = toy.get_parameter(name).grad, dense.get_parameter(name).grad
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-12)


def test_without_clipping_no_norm_is_taken() -> None:
    toy, optimizer = make(TrainingConfig())
    toy.backward(*next(toy.batches(1)))
    assert optimizer.step(1e-3) is None


@pytest.mark.parametrize("mode", ["exact_adam", "lazy_adam"])
def test_saved_and_loaded_state_goes_on_identically(mode: str) -> None:
    config = TrainingConfig.model_validate(
        {"optimizer": mode, "weight_decay": 1e-4, "schedule": "linear", "lr": 0.01}
    )
    toy, optimizer = make(config)
    batches = list(toy.batches(60))
    train(toy, optimizer, batches[:25], planned=60)
    state = {name: tensor.clone() for name, tensor in optimizer.tensors().items()}
    weights = {name: tensor.clone() for name, tensor in toy.state_dict().items()}
    train(toy, optimizer, batches[25:], planned=60)
    optimizer.catch_up()

    other, resumed = make(config)
    other.load_state_dict(weights)
    resumed.load(state)
    assert resumed.steps == 25
    train(other, resumed, batches[25:], planned=60)
    resumed.catch_up()
    assert toy.difference(other) == 0.0
    after, again = optimizer.tensors(), resumed.tensors()
    assert after.keys() == again.keys()
    assert all(torch.equal(after[name], again[name]) for name in after)


def test_state_before_the_first_step_can_be_saved() -> None:
    toy, optimizer = make(TrainingConfig())
    other, resumed = make(TrainingConfig())
    resumed.load(optimizer.tensors())
    for model, adam in ((toy, optimizer), (other, resumed)):
        train(model, adam, model.batches(3), planned=3)
    assert toy.difference(other) == 0.0


@pytest.mark.parametrize("mode", ["exact_adam", "lazy_adam"])
def test_only_what_it_was_given_is_trained(mode: str) -> None:
    config = TrainingConfig.model_validate({"optimizer": mode})
    toy = Toy(sparse=True)
    before = {name: p.detach().clone() for name, p in toy.named_parameters()}
    optimizer = Optimizer([("last", toy.last)], TABLES, config)
    train(toy, optimizer, toy.batches(5), planned=5)
    assert not torch.equal(toy.last, before["last"])
    assert torch.equal(toy.first, before["first"])
    assert torch.equal(toy.table, before["table"])


def test_betas_without_a_closed_form_want_the_exact_optimizer() -> None:
    config = TrainingConfig(betas=(0.9, 0.8))
    for dtype in (torch.float32, torch.float64):
        with pytest.raises(InputError, match=r"square of the first below .* optimizer=exact_adam"):
            make(config, dtype)
    toy, optimizer = make(config.model_copy(update={"optimizer": "exact_adam"}))
    train(toy, optimizer, toy.batches(5), planned=5)
    assert toy.table.isfinite().all()


def test_frozen_parameters_stay() -> None:
    toy = Toy(sparse=True)
    toy.last.requires_grad_(False)
    before = toy.last.clone()
    train(toy, Optimizer(toy.named_parameters(), TABLES, TrainingConfig()), toy.batches(5), 5)
    assert torch.equal(toy.last, before)


def test_a_table_alone_can_be_trained() -> None:
    toy = Toy(sparse=True)
    before = toy.table.detach().clone()
    for mode in ("exact_adam", "lazy_adam"):
        config = TrainingConfig.model_validate({"optimizer": mode})
        train(toy, Optimizer([("table", toy.table)], TABLES, config), toy.batches(2), 2)
        assert not torch.equal(toy.table, before)
