"""One ESMM step on workload B beside its practical floor; what `train` adds; peak memory.

    python benchmarks/floor.py [--rows 400000] [--rounds 5]

The floor is what no trainer of this model can leave out, measured alone on the same batches: the
gather of the embeddings, every matrix product of the two towers 128-64-32 (forward, gradients of
inputs and of weights) into memory that is kept, in the precision setting that training uses, the
compiled table update, and fused Adam on the dense weights. There is no bias, ReLU, loss, autograd
or loader in it. Products of bf16 are taken of numbers that are bf16 already.

    floor      all of that, ms per step
    step       loader, loss, backward and optimizer by hand, nothing around postclick's classes
    bare       the same with what a pass needs once: making the moments, which are as large as two
               tables, and bringing all rows to the present at its end
    train      the pass of `postclick.train`, from the rate in history.jsonl: progress and meter too
    call       all of `postclick.train`: opening, validation, checkpoint and model file too

Then come the parts of the bare step with the meter, each beside its own floor where it has one.
Batch 4096, dim 16, default training settings. Sides take their turn in every round, fp32 then bf16;
figures are medians over rounds of a pass's mean, ratios are of medians. Rows are rounded down to
whole batches. Memory is the largest resident size of a child process: one that only imports
postclick, and one that trains one pass.
"""

import argparse
import contextlib
import io
import json
import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from peak_memory import peak_megabytes
from postclick import RunSettings, train
from postclick.data.batch import Batch
from postclick.data.prepared import PreparedLog
from postclick.losses import weighted_sum
from postclick.methods.base import Labels, Step
from postclick.optim.adam_settings import AdamSettings
from postclick.optim.compiled_adam import CompiledAdam
from postclick.progress import PlainReporter
from postclick.runs.build import build_method
from postclick.system.process import training_process
from postclick.training.meter import EpochMeter
from postclick.training.optimizer import Optimizer
from workload import child, print_table, write_workload

BATCH, TABLE = 4096, "embedding.table"
SETTINGS = (f"batch_size={BATCH}", "embedding_dim=16", "epochs=1", "patience=null")
PRECISIONS = ("fp32", "bf16")
PARTS = {  # of a step, and the part of the floor that each cannot go below
    "take batch": (),
    "prepare rows": ("prepare rows",),
    "forward and loss": ("gather", "forward products"),
    "backward": ("backward products",),
    "dense Adam": ("dense Adam",),
    "table Adam": ("table Adam",),
    "meter": (),
}


class Clock:
    """Seconds by part; `lap` gives the time since the last one to a part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.last = time.perf_counter()

    def lap(self, part: str | None = None) -> None:
        now = time.perf_counter()
        if part is not None:
            self.seconds[part] += now - self.last
        self.last = now

    def per_step(self, steps: int) -> dict[str, float]:
        """Milliseconds."""
        return {part: 1e3 * seconds / steps for part, seconds in self.seconds.items()}


def settings_of(precision: str) -> RunSettings:
    return RunSettings.make("esmm", overrides=[*SETTINGS, f"precision={precision}"])


class Bare:
    """ESMM with its optimizers and nothing around it; networks and table have one each."""

    def __init__(self, log: PreparedLog, settings: RunSettings) -> None:
        self.log, self.config = log, settings.training
        self.method = build_method(settings, log).train()
        self.steps = log.steps("train", self.config.rows_per_step)
        self.make_optimizers()

    def make_optimizers(self) -> None:
        trained = list(self.method.trained(Step()))
        dense = [(name, parameter) for name, parameter in trained if name != TABLE]
        table = [(name, parameter) for name, parameter in trained if name == TABLE]
        self.networks = Optimizer(dense, (), self.config)
        self.table = Optimizer(table, (TABLE,), self.config)

    def whole_pass(self) -> dict[str, float]:
        """Milliseconds per step: of the steps alone, and of all that a pass takes."""
        began = time.perf_counter()
        self.make_optimizers()
        step = sum(self.one_pass(Clock()).values())
        self.table.catch_up()
        return {"step": step, "bare": 1e3 * (time.perf_counter() - began) / self.steps}

    def one_pass(self, clock: Clock, meter: EpochMeter | None = None) -> dict[str, float]:
        """Milliseconds per step of each part."""
        bf16 = self.config.precision == "bf16"
        clock.lap()
        for batch in self.log.shuffled("train", self.config.rows_per_step, seed=0):
            clock.lap("take batch")
            self.table.prepare(batch.ids.flatten())
            clock.lap("prepare rows")
            self.method.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                outputs, terms = self.method.loss(batch)
            loss = weighted_sum(terms)
            clock.lap("forward and loss")
            loss.backward()
            clock.lap("backward")
            self.networks.step(self.config.lr)
            clock.lap("dense Adam")
            self.table.step(self.config.lr)
            clock.lap("table Adam")
            if meter is not None:
                meter.add(terms, loss.item(), outputs, Labels.of(batch))
                clock.lap("meter")
        return clock.per_step(self.steps)


class Products:
    """Matrix products of a step: both towers read the same input, so their first layer is one."""

    def __init__(self, width: int, tower: tuple[int, ...], dtype: torch.dtype) -> None:
        inner = [(a, b) for a, b in zip(tower, (*tower[1:], 1), strict=True)]
        self.layers = []
        for inputs, outputs in ((width, 2 * tower[0]), *inner, *inner):
            x, y = (torch.randn(BATCH, size).to(dtype) for size in (inputs, outputs))
            weight = torch.randn(outputs, inputs).to(dtype)
            self.layers.append((x, weight, y, torch.empty_like(x), torch.empty_like(weight)))

    def forward(self) -> None:
        for x, weight, y, _, _ in self.layers:
            torch.mm(x, weight.t(), out=y)

    def backward(self) -> None:
        for x, weight, y, of_x, of_weight in self.layers:
            torch.mm(y, weight, out=of_x)
            torch.mm(y.t(), x, out=of_weight)


def floor_pass(batches: list[Batch], bare: Bare) -> dict[str, float]:
    """Milliseconds per step of each part of the floor."""
    dtype = torch.bfloat16 if bare.config.precision == "bf16" else torch.float32
    table = dict(bare.method.named_parameters())[TABLE].detach().clone()
    fields, dim = batches[0].ids.shape[1], table.shape[1]
    products = Products(fields * dim, (128, 64, 32), dtype)
    dense = [
        (n, nn.Parameter(p.detach().clone()))
        for n, p in bare.method.named_parameters()
        if n != TABLE
    ]
    for _, parameter in dense:
        parameter.grad = 1e-4 * torch.randn_like(parameter)
    adam = Optimizer(dense, (), bare.config)
    config = bare.config
    rows = CompiledAdam(table, AdamSettings(config.weight_decay, config.betas, config.eps))
    gathered = torch.empty(BATCH * fields, dim)
    gradient: Tensor = 1e-4 * torch.randn(BATCH * fields, dim)
    clock = Clock()
    for batch in batches:
        ids = batch.ids.flatten()
        clock.lap()
        rows.prepare(ids)
        clock.lap("prepare rows")
        torch.index_select(table, 0, ids, out=gathered)
        clock.lap("gather")
        products.forward()
        clock.lap("forward products")
        products.backward()
        clock.lap("backward products")
        adam.step(bare.config.lr)
        clock.lap("dense Adam")
        rows.step(ids, gradient, bare.config.lr)
        clock.lap("table Adam")
    return clock.per_step(len(batches))


def one_round(log: PreparedLog, folder: Path, precision: str) -> dict[str, dict[str, float]]:
    """Milliseconds per step: of the floor's parts, of a step's parts, and of whole passes."""
    settings = settings_of(precision)
    # Each side starts with new weights and gets its memory from the system, as `train` does.
    with training_process(None):
        floor = floor_pass(list(log.shuffled("train", BATCH, seed=0)), Bare(log, settings))
    with training_process(None):
        bare = Bare(log, settings)
        parts = bare.one_pass(Clock(), EpochMeter(bare.method.clip))
    with training_process(None):
        bare = Bare(log, settings)
        by_hand = bare.whole_pass()
    began = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        run = train(log, settings, folder / "run", reporter=PlainReporter())
    call = 1e3 * (time.perf_counter() - began) / bare.steps
    trained = 1e3 * log.split("train").rows / run.history[0]["rows_per_second"] / bare.steps
    shutil.rmtree(run.folder)
    passes = {"floor": sum(floor.values()), **by_hand, "train": trained, "call": call}
    return {"floor": floor, "parts": parts, "passes": passes}


def report(rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Medians over rounds, with ratios."""
    middle = {
        kind: {name: median(r[kind][name] for r in rounds) for name in rounds[0][kind]}
        for kind in rounds[0]
    }
    passes = {f"{name}_ms": round(ms, 3) for name, ms in middle["passes"].items()}
    for mine, base in (("step", "floor"), ("train", "floor"), ("train", "bare"), ("call", "bare")):
        ratio = middle["passes"][mine] / middle["passes"][base]
        passes[f"{mine}_over_{base}"] = round(ratio, 3)
    profile = {}
    for part, below in PARTS.items():
        ms, least = middle["parts"][part], sum(middle["floor"][name] for name in below)
        profile[part] = {
            "ms": round(ms, 3),
            "floor_ms": round(least, 3) if below else None,
            "over_floor": round(ms / least, 2) if below else None,
        }
    floor = {part: round(ms, 3) for part, ms in middle["floor"].items()}
    return {"passes": passes, "floor": floor, "profile": profile}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", choices=("import", "train"), help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        if arguments.child == "train":
            with contextlib.redirect_stderr(io.StringIO()):
                train(arguments.log, settings_of("fp32"), arguments.log / "run")
        print(json.dumps(peak_megabytes()))
        return
    if arguments.rows < BATCH:
        parser.error(f"--rows must be {BATCH} or more, one batch")
    rows = arguments.rows - arguments.rows % BATCH
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        log = write_workload(folder / "b", rows, max(rows // 8, 1000))
        memory = {
            kind: round(child(__file__, "--child", kind, "--log", log.folder))
            for kind in ("import", "train")
        }
        one_round(log, folder, "fp32")  # loads the compiled kernel; not counted
        found: dict[str, list[Any]] = {precision: [] for precision in PRECISIONS}
        for _ in range(arguments.rounds):
            for precision, rounds in found.items():
                rounds.append(one_round(log, folder, precision))
    reports = {precision: report(rounds) for precision, rounds in found.items()}
    print_table({precision: entry["passes"] for precision, entry in reports.items()})
    for precision, entry in reports.items():
        print(f"\n{precision}, ms per step")
        print_table(entry["profile"])
        print("floor: " + ", ".join(f"{part} {ms}" for part, ms in entry["floor"].items()))
    print(f"\npeak memory: {memory['train']} MB; imports alone: {memory['import']} MB")
    facts = {"rows": rows, "rounds": arguments.rounds, "batch": BATCH}
    facts |= {"torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps({**facts, "precisions": reports, "peak_mb": memory}))


if __name__ == "__main__":
    main()
