"""Fast matrix products, only where they are also right."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from postclick.training.memory import memory_kept
from postclick.training.waiting import short_waits_when_crowded

# Relative error above which a product is not float32 any more.
FLOAT32_ERROR = 1e-5


def float32_matmul_precision() -> str:
    """`medium` where it is still float32-accurate on this CPU, else `highest`.

    On many CPUs `medium` only selects another, faster library; on those with bfloat16 tiles it
    may really round its inputs. Which it is gets measured.
    """
    before = torch.get_float32_matmul_precision()
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(256, 384, generator=generator)
    b = torch.randn(384, 128, generator=generator)
    exact = a.double() @ b.double()
    try:
        torch.set_float32_matmul_precision("medium")
        error = ((a @ b) - exact).abs().max() / exact.abs().max()
    finally:
        torch.set_float32_matmul_precision(before)
    return "medium" if float(error) < FLOAT32_ERROR else "highest"


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
