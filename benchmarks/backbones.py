"""What a training step of ESMM costs on each backbone, over one on share_bottom.

    python benchmarks/backbones.py [--steps 20] [--threads 2]

On batches of 4096 of workload B at dim 16, each backbone with its default options and in a few
other sizes, lazy Adam. A backbone and the one that it is measured against take each batch in turn,
so that both see the same neighbours on a shared machine; a cost is the median over batches of the
one's time over the other's. A step is what the training loop does with a batch: rows brought to
the present, loss, gradients, update. `mmoe, torch's dropout` is MMoE with `torch.nn.Dropout` in
the place of `postclick.nn.dropout`.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.data.prepared import PreparedLog
from postclick.losses import weighted_sum
from postclick.nn.backbones import BACKBONES, mmoe
from postclick.runs.build import build_method
from postclick.runs.settings import RunSettings
from postclick.training.optimizer import Optimizer
from workload import print_table, write_workload

BATCH, DIM = 4096, 16
# The first steps load kernels and fill buffers; not counted.
WARM = 3
BASE, TORCHS = "share_bottom", "mmoe, torch's dropout"
# What is measured, with the settings of each.
SIDES: dict[str, tuple[str, ...]] = {
    **{name: (f"backbone={name}",) for name in BACKBONES if name != BASE},
    "share_bottom, bottom 128": ("backbone=share_bottom", "bottom=[128]"),
    "dcn_v2, rank 64": ("backbone=dcn_v2", "cross_rank=64"),
    "ple, one level": ("backbone=ple", "levels=1"),
    TORCHS: ("backbone=mmoe",),
}


class TorchDropout(nn.Dropout):
    """torch's, with the one more method that MMoE calls."""

    def after_relu(self, x: Tensor) -> Tensor:
        return self(x.relu_())


@contextmanager
def torchs_dropout() -> Iterator[None]:
    ours = mmoe.Dropout
    mmoe.Dropout = TorchDropout
    try:
        yield
    finally:
        mmoe.Dropout = ours


class Side:
    """ESMM on one backbone, and its optimizer."""

    def __init__(self, log: PreparedLog, sets: tuple[str, ...]) -> None:
        given = (f"batch_size={BATCH}", f"embedding_dim={DIM}", *sets)
        settings = RunSettings.make("esmm", overrides=given)
        self.method = build_method(settings, log).train()
        named = self.method.named_parameters()
        self.optimizer = Optimizer(named, {"embedding.table"}, settings.training)

    def step(self, batch: Batch) -> float:
        """Train on a batch; how many seconds that took."""
        began = time.perf_counter()
        self.optimizer.prepare(batch.ids.flatten())
        for parameter in self.method.parameters():
            parameter.grad = None
        _, terms = self.method.loss(batch)
        weighted_sum(terms).backward()
        self.optimizer.step(1e-3)
        return time.perf_counter() - began


def measure(folder: Path, steps: int, names: list[str]) -> dict[str, dict[str, Any]]:
    """By side: cost over another's, milliseconds a step of either, and rows a second."""
    log = write_workload(folder / "b", (steps + WARM) * BATCH, BATCH)
    batches = list(log.shuffled("train", BATCH, 0))
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        over, sets = ("mmoe", "backbone=mmoe") if name == TORCHS else (BASE, f"backbone={BASE}")
        base = Side(log, (sets,))
        with torchs_dropout() if name == TORCHS else nullcontext():
            side = Side(log, SIDES[name])
        taken = [(base.step(batch), side.step(batch)) for batch in batches][WARM:]
        theirs, mine = (median(seconds) for seconds in zip(*taken, strict=True))
        found[name] = {
            "cost": round(median(one / other for other, one in taken), 2),
            "over": over,
            "ms_per_step": round(1e3 * mine, 1),
            "ms_of_the_other": round(1e3 * theirs, 1),
            "rows_per_second": round(BATCH / mine),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost of a step on each backbone.")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=SIDES, metavar="NAME")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(Path(scratch), given.steps, list(dict.fromkeys(given.sides)))
    print_table(found)
    print(json.dumps({"threads": given.threads, "steps": given.steps, "sides": found}))


if __name__ == "__main__":
    main()
