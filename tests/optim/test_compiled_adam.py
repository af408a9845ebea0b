"""The compiled kernel against torch's Adam, and against the same rules written in torch."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from postclick.optim import adam_kernel
from postclick.optim.adam_kernel import step_rows
from postclick.optim.adam_settings import AdamSettings, Mode
from postclick.optim.compiled_adam import REPLAYED, CompiledAdam, load_machine_code
from postclick.optim.lazy_adam import LazyAdam
from postclick.system import compiled as decorator

ROWS, DIM = 3_000, 5
LR = 1e-3


def start(rows: int = ROWS, dim: int = DIM, seed: int = 0) -> Tensor:
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed)) * 0.05


def batches(steps: int, seed: int = 1, size: int = 400) -> list[tuple[Tensor, Tensor]]:
    """Zipf-like ids with repeats, some rows in no batch; gradients as small as real ones."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(steps):
        ids = (torch.rand(size, generator=generator).pow(4) * 0.9 * ROWS).long()
        found.append((ids, torch.randn(size, DIM, generator=generator) * 1e-4))
    return found


def dense_adam(
    settings: AdamSettings, found: list[tuple[Tensor, Tensor]], lr: float = LR
) -> Tensor:
    table = start().requires_grad_()
    adam = torch.optim.Adam(
        [table], lr, settings.betas, settings.eps, weight_decay=settings.weight_decay
    )
    for ids, values in found:
        table.grad = torch.zeros_like(table).index_add_(0, ids, values)
        adam.step()
    return table.detach()


def run(optimizer: CompiledAdam | LazyAdam, found: list[tuple[Tensor, Tensor]], lr: float) -> None:
    for ids, values in found:
        optimizer.prepare(ids)
        optimizer.step(ids, values.clone(), lr)


SETTINGS: list[tuple[AdamSettings, float]] = [
    (AdamSettings(), LR),
    (AdamSettings(1e-5), LR),
    (AdamSettings(1e-2), 1e-2),
    (AdamSettings(1e-4, betas=(0.5, 0.9), eps=1e-6), LR),
]


@pytest.mark.parametrize(("settings", "lr"), SETTINGS)
def test_exact_mode_is_torch_adam_over_all_rows(settings: AdamSettings, lr: float) -> None:
    found = batches(200)
    optimizer = CompiledAdam(start(), settings, "exact")
    run(optimizer, found, lr)
    optimizer.catch_up_all()
    expected = dense_adam(settings, found, lr)
    assert float((expected - start()).abs().max()) > 10 * lr, "the table has to move"
    assert float((optimizer.table - expected).abs().max()) < 1e-6


def test_exact_mode_reads_what_dense_adam_would_read() -> None:
    """Prepared rows are dense Adam's at every step, not only in the end."""
    settings = AdamSettings(weight_decay=1e-3)
    found = batches(60)
    optimizer = CompiledAdam(start(), settings, "exact")
    for k, (ids, values) in enumerate(found):
        optimizer.prepare(ids)
        expected = dense_adam(settings, found[:k])
        torch.testing.assert_close(optimizer.table[ids], expected[ids], rtol=0, atol=1e-6)
        optimizer.step(ids, values.clone(), LR)


@pytest.mark.parametrize(("settings", "lr"), SETTINGS)
def test_long_waits_are_the_closed_form_of_the_torch_code(
    settings: AdamSettings, lr: float
) -> None:
    """Every row waits for more steps than are replayed, so both take the same closed form.

    The torch code runs in float64: what differs is the kernel's float32.
    """
    generator = torch.Generator().manual_seed(5)
    touched = torch.arange(0, ROWS, 2)
    values = torch.randn(len(touched), DIM, generator=generator) * 1e-4
    for wait in (REPLAYED + 1, 100, 3_000):
        compiled, plain = CompiledAdam(start(), settings), LazyAdam(start().double(), settings)
        for optimizer, dtype in ((compiled, torch.float32), (plain, torch.float64)):
            nothing = torch.empty(0, dtype=torch.long), torch.empty(0, DIM, dtype=dtype)
            optimizer.step(touched, values.to(dtype), lr)
            for _ in range(wait):
                optimizer.step(*nothing, lr)
            optimizer.catch_up_all()
        (mean, square), (mean64, square64) = (
            optimizer.tensors()["moments"].unbind(1) for optimizer in (compiled, plain)
        )
        pairs = ((compiled.table, plain.table), (mean, mean64), (square, square64))
        # Below that float32 has nothing left, or the kernel takes it as 0.
        for (tensor, expected), floor in zip(pairs, (1e-18, 1e-36, 1e-36), strict=True):
            scale = max(float(expected.double().abs().max()), 1e6 * floor)
            torch.testing.assert_close(
                tensor.double(), expected.double(), rtol=2e-5, atol=1e-6 * scale
            )


def test_rows_prepared_for_a_step_that_never_came_are_as_good_as_new() -> None:
    settings = AdamSettings(1e-4)
    found = batches(30)
    tables = []
    for extra in (False, True):
        optimizer = CompiledAdam(start(), settings, "exact")
        for k, (ids, values) in enumerate(found):
            if extra:
                optimizer.prepare(found[(k + 7) % 30][0])
            optimizer.prepare(ids)
            optimizer.step(ids, values.clone(), LR)
        optimizer.catch_up_all()
        tables.append(optimizer.table)
    torch.testing.assert_close(tables[0], tables[1], rtol=0, atol=1e-7)


def test_prepared_rows_without_a_gradient_get_one_of_zero() -> None:
    settings = AdamSettings(weight_decay=1e-3)
    optimizer = CompiledAdam(start(), settings, "exact")
    optimizer.prepare(torch.tensor([3, 4, 3]))
    optimizer.step(torch.tensor([4]), torch.ones(1, DIM), LR)
    optimizer.catch_up_all()
    expected = dense_adam(settings, [(torch.tensor([4]), torch.ones(1, DIM))])
    torch.testing.assert_close(optimizer.table, expected, rtol=0, atol=1e-7)


def test_gradients_of_rows_that_were_not_prepared_are_refused() -> None:
    optimizer = CompiledAdam(start(), AdamSettings(1e-4))
    optimizer.prepare(torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="1 rows have gradients but were not prepared"):
        optimizer.step(torch.tensor([2, 7]), torch.ones(2, DIM), 1e-3)


@pytest.mark.parametrize("mode", ["exact", "lazy", "sparse"])
def test_threads_change_nothing(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row belongs to one thread, which sums its gradients in the order of the batch."""
    monkeypatch.setattr("postclick.optim.compiled_adam.IDS_PER_PART", 1)
    settings = AdamSettings(weight_decay=1e-4)
    before, tables = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            optimizer = CompiledAdam(start(), settings, mode)
            run(optimizer, batches(60), LR)
            optimizer.catch_up_all()
            tables.append(optimizer.table)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(tables[0], tables[1])


def test_state_goes_from_one_form_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint does not say which code wrote it."""
    monkeypatch.setattr("postclick.optim.compiled_adam.REPLAYED", 0)
    settings = AdamSettings(weight_decay=1e-4)
    found = batches(80)
    plain = LazyAdam(start(), settings)
    run(plain, found[:40], LR)
    compiled = CompiledAdam(plain.table.clone(), settings)
    compiled.load(plain.tensors(), plain.steps)
    for optimizer in (plain, compiled):
        run(optimizer, found[40:], LR)
        optimizer.catch_up_all()
    assert compiled.steps == plain.steps == 80
    torch.testing.assert_close(compiled.table, plain.table, rtol=1e-3, atol=1e-6)


def test_a_row_that_is_not_finite_shows() -> None:
    optimizer = CompiledAdam(start(), AdamSettings(1e-4))
    ids = torch.tensor([0, 1])
    optimizer.step(ids, torch.tensor([[np.nan] * DIM, [np.inf] * DIM]), 1e-3)
    assert not optimizer.table[:2].isfinite().any()
    assert optimizer.table[2:].isfinite().all()


def test_only_plain_memory_is_taken() -> None:
    assert CompiledAdam.suits(start())
    assert not CompiledAdam.suits(start().double())
    assert not CompiledAdam.suits(start().t())
    assert not CompiledAdam.suits(torch.empty(3, 2, device="meta"))


def test_without_a_place_for_machine_code_it_is_compiled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[dict[str, Any]] = []

    def njit(**options: Any) -> Any:
        calls.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(decorator, "njit", njit)
    assert decorator.compiled()(len) is len
    assert [call.get("cache", False) for call in calls] == [True, False]


@pytest.mark.slow
def test_machine_code_is_kept_for_the_next_process(tmp_path: Path) -> None:
    """The package's folder may not be writable, so the cache is put elsewhere here."""
    program = (
        "import sys, torch;"
        "from postclick.system.compiled import is_kept;"
        "from postclick.optim.adam_kernel import step_rows;"
        "from postclick.optim.compiled_adam import CompiledAdam;"
        "from postclick.optim.adam_settings import AdamSettings;"
        "print(is_kept(step_rows));"
        "adam = CompiledAdam(torch.randn(9, 4), AdamSettings(1e-4));"
        "adam.step(torch.tensor([1]), torch.ones(1, 4), 0.1);"
        "print(is_kept(step_rows), sum(step_rows.stats.cache_hits.values()))"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    # The first process has it compiled by another, and then both load the same code.
    assert outputs == [["False", "True", "1"], ["True", "True", "1"]]


def test_machine_code_of_another_source_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_machine_code()
    if decorator.is_kept(step_rows) is None:
        pytest.skip("there is no place for machine code here")
    changed = tmp_path / "adam_kernel.py"
    source = Path(adam_kernel.__file__).read_bytes()
    changed.write_bytes(source)
    monkeypatch.setattr(decorator, "getfile", lambda function: str(changed))
    assert decorator.is_kept(step_rows), "a file that is newer but the same"
    changed.write_bytes(source + b"# other\n")
    assert decorator.is_kept(step_rows) is False


@pytest.mark.slow
def test_the_first_process_computes_what_later_ones_do(tmp_path: Path) -> None:
    """Bit for bit, or a run that is resumed would differ from one that was not interrupted."""
    program = (
        "import hashlib, torch;"
        "from postclick.optim.compiled_adam import CompiledAdam;"
        "from postclick.optim.adam_settings import AdamSettings;"
        "torch.manual_seed(0);"
        "adam = CompiledAdam(torch.randn(2000, 16) * 0.05, AdamSettings(1e-4));"
        "ids, values = torch.arange(1000), torch.randn(1000, 16) * 1e-4;"
        "adam.step(ids, values, 1e-3);"
        "[adam.step(ids[:1], values[:1], 1e-3) for _ in range(60)];"
        "adam.catch_up_all();"
        "print(hashlib.sha256(adam.table.numpy().tobytes()).hexdigest())"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    digests = {
        subprocess.run(command, env=environment, capture_output=True, check=True).stdout
        for _ in range(2)
    }
    assert len(digests) == 1
