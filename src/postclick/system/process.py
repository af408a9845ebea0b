"""The process while it trains or judges: threads, matrix precision, memory, short waits."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from postclick.system.memory import memory_kept
from postclick.system.waiting import short_waits_when_crowded

# Relative error above which a product is not float32 any more.
FLOAT32_ERROR = 1e-5
# Far beyond what noise does to the shortest of several times: the choice decides last digits, and
# has to be the same in every process of a machine.
TOO_SLOW = 3.0


def float32_matmul_precision() -> str:
    """`medium` where it is still float32-accurate on this CPU, else `highest`.

    On many CPUs `medium` only selects another, faster library; on those with bfloat16 tiles it
    may really round its inputs. Which it is gets measured. So is its time: where it is not the
    faster library but takes `TOO_SLOW` times as long, it is not taken either.
    """
    before = torch.get_float32_matmul_precision()
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(256, 384, generator=generator)
    b = torch.randn(384, 128, generator=generator)
    exact = a.double() @ b.double()
    try:
        torch.set_float32_matmul_precision("medium")
        error = ((a @ b) - exact).abs().max() / exact.abs().max()
        if float(error) >= FLOAT32_ERROR:
            return "highest"
        seconds = {}
        for precision in ("highest", "medium"):
            torch.set_float32_matmul_precision(precision)
            seconds[precision] = min(_seconds_of_product(a, b) for _ in range(20))
    finally:
        torch.set_float32_matmul_precision(before)
    return "highest" if seconds["medium"] > TOO_SLOW * seconds["highest"] else "medium"


def _seconds_of_product(a: Tensor, b: Tensor) -> float:
    began = time.perf_counter()
    a @ b
    return time.perf_counter() - began


@contextmanager
def training_process(threads: int | None) -> Iterator[None]:
    """Set threads and matrix precision; keep garbage collection and malloc out of the loop."""
    threads_before = torch.get_num_threads()
    precision_before = torch.get_float32_matmul_precision()
    collecting = gc.isenabled()
    if threads is not None:
        torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(float32_matmul_precision())
    # Freezing keeps what is there out of later collections; collecting it first would take longer
    # than judging a small split.
    frozen = gc.get_freeze_count() > 0  # by the caller: then it stays as it is
    if not frozen:
        gc.freeze()
    gc.disable()
    try:
        with memory_kept(), short_waits_when_crowded():
            yield
    finally:
        if not frozen:
            gc.unfreeze()
        if collecting:
            gc.enable()
        torch.set_float32_matmul_precision(precision_before)
        torch.set_num_threads(threads_before)
