"""bf16 against fp32 on this machine: measured on the run's own first batch, then said and chosen.

bf16 is faster only where the processor multiplies it (AVX-512 BF16, AMX, GPUs). Elsewhere it is
emulated, and a step takes ten times as long.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch

from postclick.data.batch import Batch
from postclick.errors import InputError
from postclick.losses import weighted_sum
from postclick.methods.base import Method, Step
from postclick.progress import Reporter
from postclick.system.files import read_json, write_json

Precision = Literal["fp32", "bf16"]
# In run.json: how long a step takes in bf16, and what `auto` took by it.
MEASURED, TAKEN = "bf16_over_fp32", "precision"
ROUNDS = 3
# A ratio above this is no noise: bf16 is then slower, and that is told.
SLOWER = 1.1


def settled_precision(
    asked: Literal["fp32", "bf16", "auto"],
    method: Method[Any],
    first_batch: Callable[[], Batch],
    step: Step,
    info: Path,
    reporter: Reporter,
) -> Precision:
    """The precision of a run; `auto` takes the faster, once, and a run that is resumed keeps it.

    Args:
        info: the run's run.json, where the answer is kept.

    Raises:
        InputError: `info` is damaged.
    """
    if asked == "fp32":
        return "fp32"
    known = read_json(info)
    if MEASURED not in known:
        ratio = bf16_over_fp32(method, first_batch(), step)
        taken = "bf16" if asked == "bf16" or ratio < 1 else "fp32"
        known |= {MEASURED: round(ratio, 3), TAKEN: taken}
        write_json(info, known)
        if asked == "auto":
            reporter.line(f"precision=auto takes {taken}: {_said(ratio)}")
        elif ratio > SLOWER:
            reporter.line(f"warning: {_said(ratio)}: precision=auto or fp32 is faster")
    found = known.get(TAKEN)
    if found == "fp32":
        return "fp32"
    if found != "bf16":
        raise InputError(f"{info} is damaged: its {TAKEN} is {found!r}: remove the unfinished run")
    return "bf16"


def bf16_over_fp32(method: Method[Any], batch: Batch, step: Step) -> float:
    """Time of a step's losses and gradients in bf16 over that in fp32.

    The method is left as it was, gradients removed, and so is torch's random state.
    """
    buffers = {name: buffer.clone() for name, buffer in method.named_buffers()}
    training = method.training
    devices = [batch.ids.device] if batch.ids.device.type == "cuda" else []
    best = {False: float("inf"), True: float("inf")}
    with torch.random.fork_rng(devices=devices):
        method.train()
        # The first round only brings up what is made at the first call.
        for k in range(1 + ROUNDS):
            for bf16 in best:
                seconds = _seconds(method, batch, step, bf16)
                best[bf16] = min(best[bf16], seconds) if k else best[bf16]
    method.train(training)
    for name, buffer in method.named_buffers():
        buffer.copy_(buffers[name])
    return best[True] / best[False]


def _seconds(method: Method[Any], batch: Batch, step: Step, bf16: bool) -> float:
    device = batch.ids.device.type
    began = time.perf_counter()
    with torch.autocast(device, torch.bfloat16, enabled=bf16):
        _, terms = method.loss(batch, step)
    weighted_sum(terms).backward()  # type: ignore[no-untyped-call]
    if device != "cpu":
        torch.accelerator.synchronize()
    seconds = time.perf_counter() - began
    for parameter in method.parameters():
        parameter.grad = None
    return seconds


def _said(ratio: float) -> str:
    times = f"{ratio:.1f} times as long" if ratio >= 1 else f"{ratio:.2f} of the time"
    return f"a step in bf16 takes {times} as one in fp32 here"


def units() -> str:
    """Which of the processor's units matter for matrix products, e.g. "AVX2 AVX-512 AMX-BF16".

    >>> isinstance(units(), str)
    True
    """
    names = {
        "avx2": "AVX2",
        "avx512_f": "AVX-512",
        "avx512_bf16": "AVX512-BF16",
        "amx_bf16": "AMX-BF16",
    }
    known = torch.cpu.get_capabilities()
    return " ".join(name for key, name in names.items() if known.get(key)) or "none of them"
