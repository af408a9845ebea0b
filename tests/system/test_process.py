"""Matrix precision is measured, and the process is left as it was found."""

import gc

import pytest
import torch

from postclick.system import process as numerics
from postclick.system.process import FLOAT32_ERROR, float32_matmul_precision, training_process


def test_the_precision_that_is_chosen_is_float32_accurate() -> None:
    before = torch.get_float32_matmul_precision()
    chosen = float32_matmul_precision()
    assert chosen in ("medium", "highest")
    assert torch.get_float32_matmul_precision() == before
    torch.set_float32_matmul_precision(chosen)
    try:
        a, b = (torch.randn(300, 300, generator=torch.Generator().manual_seed(k)) for k in (1, 2))
        exact = a.double() @ b.double()
        assert float(((a @ b) - exact).abs().max() / exact.abs().max()) < FLOAT32_ERROR
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_cpu_that_rounds_gets_the_highest_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "FLOAT32_ERROR", 0.0)
    assert float32_matmul_precision() == "highest"


def test_measuring_draws_no_random_numbers() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    float32_matmul_precision()
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("fails", [False, True])
def test_the_process_is_left_as_it_was(fails: bool) -> None:
    before = (torch.get_num_threads(), torch.get_float32_matmul_precision(), gc.isenabled())
    other = before[0] + 1
    try:
        with training_process(other):
            assert torch.get_num_threads() == other
            assert not gc.isenabled()
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    after = (torch.get_num_threads(), torch.get_float32_matmul_precision(), gc.isenabled())
    assert after == before


@pytest.mark.parametrize("frozen", [False, True])
def test_what_the_caller_froze_stays_frozen(frozen: bool) -> None:
    gc.unfreeze()
    if frozen:
        gc.freeze()
    before = gc.get_freeze_count()
    with training_process(None):
        assert gc.get_freeze_count() > 0
    assert (gc.get_freeze_count() > 0) == frozen
    assert gc.get_freeze_count() == pytest.approx(before, abs=100)  # some have died meanwhile


def test_threads_may_be_left_alone() -> None:
    before = torch.get_num_threads()
    with training_process(None):
        assert torch.get_num_threads() == before


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with training_process(None):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_library_that_is_far_slower_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(a: torch.Tensor, b: torch.Tensor) -> float:
        return 1.0 if torch.get_float32_matmul_precision() == "highest" else 4.0

    monkeypatch.setattr(numerics, "FLOAT32_ERROR", 1.0)
    monkeypatch.setattr(numerics, "_seconds_of_product", seconds)
    assert float32_matmul_precision() == "highest"
    monkeypatch.setattr(numerics, "TOO_SLOW", 5.0)
    assert float32_matmul_precision() == "medium"
